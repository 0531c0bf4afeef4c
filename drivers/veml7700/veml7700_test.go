package veml7700

import (
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c/i2ctest"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/veml7700/veml7700test"
)

func TestDriver(t *testing.T) {
	drivertest.Suite{
		Spec: Spec,
		New:  func() *drivertest.Buses { return drivertest.OnI2C(0x10, veml7700test.New()) },
	}.Run(t)
}

// The traffic of a reading, byte by byte.
func TestPlayback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
			{Addr: 0x10, W: []byte{7}, R: []byte{0x81, 0xC4}},
			{Addr: 0x10, W: []byte{0, 0x01, 0x00}},
			{Addr: 0x10, W: []byte{3, 0x00, 0x00}},
			{Addr: 0x10, W: []byte{0, 0x00, 0x10}}, // gain 1/8, 100 ms
			{Addr: 0x10, W: []byte{4}, R: []byte{0xE8, 0x03}},
			{Addr: 0x10, W: []byte{0}, R: []byte{0x00, 0x10}},
			{Addr: 0x10, W: []byte{0, 0x01, 0x10}},
			{Addr: 0x10, W: []byte{0, 0x01, 0x00}},
		}}
		d, err := Open(t.Context(), bus, Options{Address: 0x10})
		if err != nil {
			t.Fatal(err)
		}
		if values, err := d.Read(t.Context()); err != nil || values[0] != drivers.Float("illuminance", 537.6) {
			t.Errorf("got %#v, %v", values, err)
		}
		if err := errors.Join(d.Close(), bus.Close()); err != nil {
			t.Error(err)
		}
	})
}

// The table of resolutions of the application note: each range is 0.0042 lx at gain 2 and 800 ms,
// times what its own are less.
func TestScales(t *testing.T) {
	gains := []float64{1, 2, 0.125, 0.25}
	times := map[uint16]time.Duration{0: 100, 1: 200, 2: 400, 3: 800, 8: 50, 12: 25}
	for i, s := range scales() {
		want := 0.0042 * 2 / gains[s.config>>11] * 800 / float64(times[s.config>>6&0xF])
		if math.Abs(s.lux-want) > 1e-9 || s.integration != times[s.config>>6&0xF]*time.Millisecond {
			t.Errorf("scale %d: want %v lx, got %+v", i, want, s)
		}
		if i > 0 && s.lux <= scales()[i-1].lux {
			t.Errorf("scale %d is not coarser than the one before", i)
		}
	}
}

// The correction does next to nothing at 1000 lx, and grows steadily. 22,000 lx by the counts are
// 102 klx.
func TestCorrected(t *testing.T) {
	for lux, want := range map[float64]float64{1000: 1000, 2000: 2265.1, 5000: 6250.5, 22000: 102350} {
		if got := corrected(lux); math.Abs(got/want-1) > 0.0002 {
			t.Errorf("%v lx: want %v, got %v", lux, want, got)
		}
	}
	last := 1000.0
	for lux := 1001.0; lux < 25000; lux++ {
		got := corrected(lux)
		if got < last {
			t.Fatalf("%v lx: the correction falls", lux)
		}
		last = got
	}
}

func TestAutoRange(t *testing.T) {
	tests := []struct {
		name         string
		linear       float64
		want         float64
		measurements int
	}{
		{"dark", 0, 0, 2},
		{"twilight", 1, 1.01, 2},
		{"room", 250, 250.05, 1},
		{"bright room", 950, 950.07, 1},
		{"cloudy day", 5000, 6250.5, 1},
		{"sunlight", 20000, corrected(20000), 2},
		{"more than the chip can count", 150000, math.NaN(), 2},
		{"more than it is made for", 30000, math.NaN(), 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				model := veml7700test.New()
				model.Linear = test.linear
				d, err := Spec.Open(t.Context(), drivertest.OnI2C(0x10, model), "bus", Spec.Options())
				if err != nil {
					t.Fatal(err)
				}
				values, err := d.Read(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				v := values[0]
				if bad := v.Kind() == drivers.KindBad; bad != math.IsNaN(test.want) || !bad && math.Abs(v.Float()-test.want) > test.want/1000 {
					t.Errorf("want %v lx, got %#v", test.want, v)
				}
				if model.Count != test.measurements {
					t.Errorf("want %d measurements, got %d", test.measurements, model.Count)
				}
				if _, err := d.Read(t.Context()); err != nil || model.Count != test.measurements+1 {
					t.Errorf("want the next reading to begin with the right range, got %d measurements, %v", model.Count-test.measurements, err)
				}
			})
		})
	}
}

// Where the light changes faster than the range, counts at their end are not a value.
func TestFlicker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		model := veml7700test.New()
		d, err := Spec.Open(t.Context(), drivertest.OnI2C(0x10, model), "bus", Spec.Options())
		if err != nil {
			t.Fatal(err)
		}
		// too much: 205 ms, then 55 ms with the coarsest range
		model.Light(40000)
		// too little: then the finest
		time.AfterFunc(210*time.Millisecond, func() { model.Light(0) })
		time.AfterFunc(270*time.Millisecond, func() { model.Light(5000) }) // too much for that
		if values, err := d.Read(t.Context()); err != nil || values[0] != drivers.Bad("illuminance", "range") || model.Count != 3 {
			t.Errorf("got %#v, %v after %d measurements", values, err, model.Count)
		}
	})
}

func TestTraps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		model := veml7700test.New()
		buses := drivertest.OnI2C(0x10, model)
		d, err := Spec.Open(t.Context(), buses, "bus", Spec.Options())
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(50*time.Millisecond, model.LosePower)
		if values, err := d.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "reads 0x0001: the chip lost its power") {
			t.Errorf("power lost: want no darkness, got %#v, %v", values, err)
		}
		if values, err := d.Read(t.Context()); err != nil || math.Abs(values[0].Float()-250) > 0.5 {
			t.Errorf("after it: got %#v, %v", values, err)
		}
		model.ID = 0xFFFF
		if _, err := Spec.Open(t.Context(), buses, "bus", Spec.Options()); err == nil || !strings.Contains(err.Error(), "0x10 on fake has the id 0xffff: that is not a VEML7700") {
			t.Errorf("another chip: got %v", err)
		}
	})
}

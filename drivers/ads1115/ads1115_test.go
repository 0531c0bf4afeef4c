package ads1115

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c/i2ctest"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/ads1115/ads1115test"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/lm75/lm75test"
)

func TestDriver(t *testing.T) {
	t.Run("ads1115", drivertest.Suite{
		Spec: Spec,
		New:  func() *drivertest.Buses { return drivertest.OnI2C(0x48, ads1115test.New(16)) },
	}.Run)
	t.Run("ads1015", drivertest.Suite{
		Spec: SpecADS1015,
		Options: func(o any) {
			o.(*Options).Channels = map[string]Channel{"level": {Input: "0-1", Range: 2.048, Scale: 100, Unit: "%"}, "battery": {Input: "3"}}
		},
		New: func() *drivertest.Buses { return drivertest.OnI2C(0x48, ads1115test.New(12)) },
	}.Run)
}

// The traffic of a conversion, byte by byte: the configuration's fields put together by hand.
func TestPlayback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
			{Addr: 0x49, W: []byte{1}, R: []byte{0x85, 0x83}}, // after power-up
			// start, 2-3, 0.256 V, single, 128 a second, no comparator
			{Addr: 0x49, W: []byte{1, 0xBB, 0x83}},
			{Addr: 0x49, W: []byte{1}, R: []byte{0x3B, 0x83}}, // under way
			{Addr: 0x49, W: []byte{1}, R: []byte{0xBB, 0x83}},
			{Addr: 0x49, W: []byte{0}, R: []byte{0xFF, 0xFF}},
		}}
		o := Options{Address: 0x49, Rate: 128, variant: ads1115, Channels: map[string]Channel{"bridge": {Input: "2-3", Range: 0.256, Scale: 1e6}}}
		d, err := open(t.Context(), bus, o)
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		values, err := d.Read(t.Context())
		if err != nil || len(values) != 1 || values[0] != drivers.Float("bridge", -7.8) {
			t.Errorf("want one count of 7.8125 µV below 0, rounded, got %#v, %v", values, err)
		}
		if took, want := time.Since(begin), 9_643_750*time.Nanosecond; took != want {
			t.Errorf("waited %v, want %v: 7.8 ms, 10 %% more, 50 µs, and one more look", took, want)
		}
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Inputs, ranges and their ends, scales, and the ADS1015 with its twelve bits.
func TestChannels(t *testing.T) {
	tests := []struct {
		name string
		bits int
		c    Channel
		in   [4]float64
		want string
	}{
		{"single", 16, Channel{Input: "2"}, [4]float64{2: 3.3}, "x=3.3(float)"},
		{"difference", 16, Channel{Input: "0-3", Range: 2.048}, [4]float64{1, 0, 0, 1.5}, "x=-0.5(float)"},
		{"scale", 16, Channel{Input: "0", Scale: 2.5, Offset: -1.25, Unit: "m"}, [4]float64{2}, "x=3.75(float)"},
		{"too much", 16, Channel{Input: "0", Range: 2.048}, [4]float64{3.3}, "x=bad(range)"},
		{"too little", 16, Channel{Input: "0-1", Range: 0.256}, [4]float64{0, 0.3}, "x=bad(range)"},
		{"too much of 12 bits", 12, Channel{Input: "0", Range: 2.048}, [4]float64{3.3}, "x=bad(range)"},
		{"12 bits", 12, Channel{Input: "1"}, [4]float64{0, 1}, "x=1(float)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				model := ads1115test.New(test.bits)
				model.Volts = test.in
				spec := Spec
				if test.bits == 12 {
					spec = SpecADS1015
				}
				o := spec.Options().(*Options)
				o.Channels = map[string]Channel{"x": test.c}
				d, err := spec.Open(t.Context(), drivertest.OnI2C(0x48, model), "bus", o)
				if err != nil {
					t.Fatal(err)
				}
				values, err := d.Read(t.Context())
				if got := fmt.Sprintf("%#v", values[0]); err != nil || got != test.want {
					t.Errorf("want %s, got %s, %v", test.want, got, err)
				}
			})
		})
	}
}

func TestTraps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		model := ads1115test.New(16)
		buses := drivertest.OnI2C(0x48, model)
		buses.Attach(0x49, lm75test.New("tmp102"))
		d, err := Spec.Open(t.Context(), buses, "bus", Spec.Options())
		if err != nil {
			t.Fatal(err)
		}
		fails := func(name, want string) {
			t.Helper()
			if values, err := d.Read(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: want %q, got %#v, %v", name, want, values, err)
			}
		}
		time.AfterFunc(5*time.Millisecond, model.LosePower)
		fails("power lost", "a0: the configuration of the device at 0x48 on fake was written as 0x4383 and reads 0x8583")
		model.Slower = time.Second
		fails("stuck", "a0: the chip is still busy")
		o := Spec.Options().(*Options)
		o.Address = 0x49
		if d, err = Spec.Open(t.Context(), buses, "bus", o); err != nil {
			t.Fatal(err)
		}
		fails("a TMP102", "the TMP102 and LM75 have the same addresses")
	})
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name string
		o    Options
		want string
	}{
		{"OK", Options{Address: 0x4b, Rate: 860}, ""},
		{"decimal address", Options{Address: 48, Rate: 8}, "write 0x48"},
		{"rate", Options{Address: 0x48, Rate: 1600}, "option rate: 1600; want 8, 16, 32, 64, 128, 250, 475 or 860"},
		{"rate of an ADS1015", Options{Address: 0x48, Rate: 860, variant: ads1015}, "option rate: 860; want 128, 250, 490, 920, 1600, 2400 or 3300"},
		{"no channels", Options{Address: 0x48, Rate: 8, Channels: map[string]Channel{}}, "option channels: it is empty"},
		{"name", Options{Address: 0x48, Rate: 8, Channels: map[string]Channel{"Level": {Input: "0"}}}, `option channels.Level: "Level" is not a lower-case name`},
		{"input", Options{Address: 0x48, Rate: 8, Channels: map[string]Channel{"x": {Input: "1-2"}}}, `option channels.x.input: "1-2"; want "0"`},
		{"range", Options{Address: 0x48, Rate: 8, Channels: map[string]Channel{"x": {Input: "0", Range: 5}}}, "option channels.x.range: 5 V"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.o.variant == "" {
				test.o.variant = ads1115
			}
			err := test.o.Check()
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("want %q, got %v", test.want, err)
			}
		})
	}
}

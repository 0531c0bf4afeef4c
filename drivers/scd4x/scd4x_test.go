package scd4x

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c/i2ctest"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/kit/sensirion"
	"github.com/fieldgate/fieldgate/drivers/scd4x/scd4xtest"
)

func TestDriver(t *testing.T) {
	drivertest.Suite{
		Spec:    Spec,
		New:     func() *drivertest.Buses { return drivertest.OnI2C(0x62, scd4xtest.New()) },
		Checked: true,
	}.Run(t)
}

// The traffic byte by byte, with the data sheet's examples: a serial number, an offset of 5.4 °C, a
// height of 1950 m, 500 ppm at 25 °C and 37 %RH.
func TestPlayback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const a = 0x62
		bus := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
			{Addr: a, W: []byte{0xE4, 0xB8}},
			{Addr: a, R: []byte{0x80, 0x00, 0xA2}},
			{Addr: a, W: []byte{0x3F, 0x86}},
			{Addr: a, W: []byte{0x36, 0x82}},
			{Addr: a, R: []byte{0xF8, 0x96, 0x31, 0x9F, 0x07, 0xC2, 0x3B, 0xBE, 0x89}},
			{Addr: a, W: []byte{0x24, 0x1D, 0x07, 0xE6, 0x48}},
			{Addr: a, W: []byte{0x24, 0x27, 0x07, 0x9E, 0x09}},
			{Addr: a, W: []byte{0x24, 0x16, 0x00, 0x01, 0xB0}},
			{Addr: a, W: []byte{0x21, 0xB1}},
			{Addr: a, W: []byte{0xE4, 0xB8}},
			{Addr: a, R: []byte{0x80, 0x00, 0xA2}}, // not yet
			{Addr: a, W: []byte{0xE4, 0xB8}},
			{Addr: a, R: []byte{0x80, 0x06, 0x04}},
			{Addr: a, W: []byte{0xEC, 0x05}},
			{Addr: a, R: []byte{0x01, 0xF4, 0x33, 0x66, 0x67, 0xA2, 0x5E, 0xB9, 0x3C}},
			{Addr: a, W: []byte{0x3F, 0x86}},
		}}
		o := Options{Address: a, Altitude: 1950, TemperatureOffset: 5.4, SelfCalibration: true}
		d, err := Open(t.Context(), bus, o)
		if err != nil {
			t.Fatal(err)
		}
		values, err := d.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if values[0] != drivers.Float("co2", 500) || values[1] != drivers.Float("temperature", 25) || values[2] != drivers.Float("humidity", 37) {
			t.Errorf("got %#v", values)
		}
		if err := errors.Join(d.Close(), bus.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		model := scd4xtest.New()
		buses := drivertest.OnI2C(0x62, model)
		o := Spec.Options().(*Options)
		o.Altitude, o.TemperatureOffset, o.SelfCalibration = 300, 2, false
		begin := time.Now()
		// Twice: just switched on, and measuring since before, when it takes four commands only.
		for range 2 {
			d, err := Spec.Open(t.Context(), buses, "bus", o)
			if err != nil {
				t.Fatal(err)
			}
			if model.Altitude != 300 || model.Offset != 749 || model.SelfCalibration != 0 {
				t.Errorf("the options were not given to the sensor: %+v", model)
			}
			values, err := d.Read(t.Context())
			if err != nil || values[0].Float() != 500 || values[1].Float() != 27 {
				t.Errorf("got %#v, %v", values, err)
			}
		}
		if took := time.Since(begin); took > 14*time.Second {
			t.Errorf("two starts and first results took %v", took)
		}
	})
}

func TestTraps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		model := scd4xtest.New()
		d, err := Spec.Open(t.Context(), drivertest.OnI2C(0x62, model), "bus", Spec.Options())
		if err != nil {
			t.Fatal(err)
		}
		read := func(name, want string) []drivers.Value {
			t.Helper()
			values, err := d.Read(t.Context())
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s: want %q, got %#v, %v", name, want, values, err)
			}
			return values
		}
		begin := time.Now()
		read("first", "")
		if took := time.Since(begin); took < 4500*time.Millisecond || took > 5600*time.Millisecond {
			t.Errorf("the first result took %v, want about 5 s", took)
		}
		time.Sleep(7 * time.Second)
		begin = time.Now()
		read("one is waiting", "")
		if took := time.Since(begin); took > 5*time.Millisecond {
			t.Errorf("a result that was there took %v", took)
		}
		model.CO2 = 0
		if v := read("no CO₂", ""); v[0] != drivers.Bad("co2", "not measured") {
			t.Errorf("got %#v", v)
		}
		model.CO2, model.Disturbed = 1234, true
		read("wrong checksum", "wrong checksum")
		model.Disturbed = false
		read("after it", "")
		model.LosePower()
		time.Sleep(2 * time.Second)
		read("power lost", "lost its power")
		if v := read("started again", ""); v[0].Float() != 1234 {
			t.Errorf("got %#v", v)
		}
	})
}

// Another device at the address is told by its answer, and gets no further command.
func TestWrongChip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{{Addr: 0x62, W: []byte{0xE4, 0xB8}}, {Addr: 0x62, R: []byte{0, 0, 0}}}}
		o := Spec.Options().(*Options)
		if _, err := Open(t.Context(), bus, *o); !errors.Is(err, sensirion.ErrCRC) {
			t.Errorf("want a wrong checksum, got %v", err)
		}
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
		if _, err := Spec.Open(t.Context(), drivertest.OnI2C(0x10, nil), "bus", o); !errors.Is(err, syscall.ENXIO) {
			t.Errorf("want no answer, got %v", err)
		}
	})
}

package sht4x

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c/i2ctest"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/kit/sensirion"
	"github.com/fieldgate/fieldgate/drivers/sht4x/sht4xtest"
)

func TestDriver(t *testing.T) {
	drivertest.Suite{
		Spec:    Spec,
		New:     func() *drivertest.Buses { return drivertest.OnI2C(0x44, sht4xtest.New()) },
		Checked: true,
	}.Run(t)
}

// The traffic byte by byte; the values follow from the data sheet's formulas.
func TestPlayback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
			{Addr: 0x44, W: []byte{0x89}},
			{Addr: 0x44, R: []byte{0xF8, 0x96, 0x31, 0x9F, 0x07, 0xC2}},
			{Addr: 0x44, W: []byte{0x94}},
			{Addr: 0x44, W: []byte{0xFD}},
			{Addr: 0x44, R: []byte{0x66, 0x67, 0xA2, 0x80, 0x00, 0xA2}},
		}}
		d, err := Open(t.Context(), bus, Options{Address: 0x44})
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		values, err := d.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took != 8300*time.Microsecond {
			t.Errorf("waited %v, want the longest time of 8.3 ms", took)
		}
		if values[0] != drivers.Float("temperature", 25) || values[1] != drivers.Float("humidity", 56.5) {
			t.Errorf("got %#v", values)
		}
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestTraps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		model := sht4xtest.New()
		buses := drivertest.OnI2C(0x45, model)
		_, err := Spec.Open(t.Context(), buses, "bus", Spec.Options())
		if err == nil || !strings.Contains(err.Error(), `driver = "sht3x"`) {
			t.Errorf("wrong address: %v", err)
		}
		o := Spec.Options().(*Options)
		o.Address = 0x45
		d, err := Spec.Open(t.Context(), buses, "bus", o)
		if err != nil {
			t.Fatal(err)
		}
		for scale, want := range map[float64]float64{-6: 0, -0.5: 0, 42: 42, 100.4: 100, 119: 100} {
			model.Humidity = scale
			if values, err := d.Read(t.Context()); err != nil || values[1].Float() != want {
				t.Errorf("%v %%RH on the chip's scale: want %v, got %#v, %v", scale, want, values, err)
			}
		}
		model.Temperature = -45
		if values, err := d.Read(t.Context()); err != nil || values[0] != drivers.Bad("temperature", "range") {
			t.Errorf("out of range: %#v, %v", values, err)
		}
		model.Disturbed = true
		if values, err := d.Read(t.Context()); !errors.Is(err, sensirion.ErrCRC) || values != nil {
			t.Errorf("wrong checksum: %#v, %v", values, err)
		}
	})
}

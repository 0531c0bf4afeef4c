package bh1750

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c/i2ctest"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/bh1750/bh1750test"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
)

func TestDriver(t *testing.T) {
	drivertest.Suite{
		Spec: Spec,
		New:  func() *drivertest.Buses { return drivertest.OnI2C(0x23, bh1750test.New()) },
	}.Run(t)
}

// The data sheet's example: 0x8390 is 28067 lx.
func TestPlayback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
			{Addr: 0x5c, R: []byte{0, 0}},
			{Addr: 0x5c, W: []byte{0x01}},
			{Addr: 0x5c, W: []byte{0x42}},
			{Addr: 0x5c, W: []byte{0x65}},
			{Addr: 0x5c, W: []byte{0x20}},
			{Addr: 0x5c, R: []byte{0x83, 0x90}},
			{Addr: 0x5c, W: []byte{0x00}},
		}}
		d, err := Open(t.Context(), bus, Options{Address: 0x5c})
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		values, err := d.Read(t.Context())
		if err != nil || values[0] != drivers.Float("illuminance", 28066.7) {
			t.Errorf("got %#v, %v", values, err)
		}
		if took := time.Since(begin); took != 180*time.Millisecond {
			t.Errorf("waited %v, want the longest time of 180 ms", took)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestRange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		model := bh1750test.New()
		d, err := Spec.Open(t.Context(), drivertest.OnI2C(0x23, model), "bus", Spec.Options())
		if err != nil {
			t.Fatal(err)
		}
		for lux, want := range map[float64]float64{0: 0, 1: 0.8, 250: 250, 54000: 54000, 100000: 99999.9} {
			model.Illuminance = lux
			if values, err := d.Read(t.Context()); err != nil || values[0].Float() != want {
				t.Errorf("%v lx: got %#v, %v", lux, values, err)
			}
		}
		model.Illuminance = 130000
		if values, err := d.Read(t.Context()); err != nil || values[0] != drivers.Bad("illuminance", "range") {
			t.Errorf("more than the chip can count: got %#v, %v", values, err)
		}
		o := Spec.Options().(*Options)
		o.Address = 0x5c
		_, err = Spec.Open(t.Context(), drivertest.OnI2C(0x23, model), "bus", o)
		if err == nil || !strings.Contains(err.Error(), "a device answers at 0x23: if that is it (pin ADDR), set address = 0x23") {
			t.Errorf("wrong address: %v", err)
		}
	})
}

package sht3x

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
	"github.com/fieldgate/fieldgate/drivers/sht3x/sht3xtest"
)

func TestDriver(t *testing.T) {
	drivertest.Suite{
		Spec:    Spec,
		New:     func() *drivertest.Buses { return drivertest.OnI2C(0x44, sht3xtest.New()) },
		Checked: true,
	}.Run(t)
}

// The traffic byte by byte. 0xBEEF with 0x92 is the data sheet's example of a checksum (4.12); the
// values follow from its formulas (4.13).
func TestPlayback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
			{Addr: 0x45, W: []byte{0xF3, 0x2D}},
			{Addr: 0x45, R: []byte{0x80, 0x10, 0xE1}},
			{Addr: 0x45, W: []byte{0x30, 0x93}},
			{Addr: 0x45, W: []byte{0x30, 0xA2}},
			{Addr: 0x45, W: []byte{0x24, 0x00}},
			{Addr: 0x45, R: []byte{0xBE, 0xEF, 0x92, 0x80, 0x00, 0xA2}},
		}}
		d, err := Open(t.Context(), bus, Options{Address: 0x45})
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		values, err := d.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took != 15500*time.Microsecond {
			t.Errorf("waited %v, want the 15.5 ms of table 4", took)
		}
		if values[0] != drivers.Float("temperature", 85.52) || values[1] != drivers.Float("humidity", 50) {
			t.Errorf("got %#v", values)
		}
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestTraps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		model := sht3xtest.New()
		model.StartPeriodic()
		buses := drivertest.OnI2C(0x44, model)
		d, err := Spec.Open(t.Context(), buses, "bus", Spec.Options())
		if err != nil {
			t.Fatalf("a chip that measures periodically: %v", err)
		}
		if model.Heater {
			t.Error("the heater is still on")
		}
		model.Temperature, model.Humidity = -12.5, 97
		values, err := d.Read(t.Context())
		if err != nil || values[0].Float() != -12.5 || values[1].Float() != 97 {
			t.Errorf("got %#v, %v", values, err)
		}
		model.Temperature = 130
		if values, err := d.Read(t.Context()); err != nil || values[0] != drivers.Bad("temperature", "range") {
			t.Errorf("out of range: %#v, %v", values, err)
		}
		model.Disturbed = true
		if values, err := d.Read(t.Context()); !errors.Is(err, sensirion.ErrCRC) || values != nil {
			t.Errorf("wrong checksum: %#v, %v", values, err)
		}
		other := Spec.Options().(*Options)
		other.Address = 0x45
		_, err = Spec.Open(t.Context(), buses, "bus", other)
		if !errors.Is(err, syscall.ENXIO) || !strings.Contains(err.Error(), `driver = "sht4x"`) || strings.Contains(err.Error(), "set address") {
			t.Errorf("wrong address: %v", err)
		}
	})
}

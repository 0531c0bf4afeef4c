package aht20

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c/i2ctest"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/aht20/aht20test"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
)

func TestDriver(t *testing.T) {
	drivertest.Suite{
		Spec:    Spec,
		New:     func() *drivertest.Buses { return drivertest.OnI2C(0x38, aht20test.New()) },
		Checked: true,
	}.Run(t)
}

// The traffic byte by byte. The result, with its checksum, is one that was recorded from a chip and
// published with another program: 23.19 %RH, 31.67 °C.
func TestPlayback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
			{Addr: 0x38, W: []byte{0x71}, R: []byte{0x10}},
			{Addr: 0x38, W: []byte{0xBE, 0x08, 0x00}},
			{Addr: 0x38, W: []byte{0x71}, R: []byte{0x18}},
			{Addr: 0x38, W: []byte{0xAC, 0x33, 0x00}},
			{Addr: 0x38, R: []byte{0x9C, 0, 0, 0, 0, 0, 0}}, // still busy
			{Addr: 0x38, R: []byte{0x1C, 0x3B, 0x5E, 0x86, 0x88, 0xB2, 0xD2}},
		}}
		d, err := Open(t.Context(), bus, Options{Address: 0x38})
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		values, err := d.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took != 81*time.Millisecond {
			t.Errorf("waited %v, want the 80 ms of section 5.4 and one more look", took)
		}
		if values[0] != drivers.Float("temperature", 31.67) || values[1] != drivers.Float("humidity", 23.19) {
			t.Errorf("got %#v", values)
		}
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestTraps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		model := aht20test.New()
		d, err := Spec.Open(t.Context(), drivertest.OnI2C(0x38, model), "bus", Spec.Options())
		if err != nil {
			t.Fatal(err)
		}
		fails := func(name, want string) {
			t.Helper()
			if values, err := d.Read(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: want %q, got %#v, %v", name, want, values, err)
			}
		}
		reads := func(name string, temperature, humidity float64) {
			t.Helper()
			values, err := d.Read(t.Context())
			if err != nil || values[0].Float() != temperature || values[1].Float() != humidity {
				t.Errorf("%s: got %#v, %v", name, values, err)
			}
		}
		model.LosePower()
		fails("power lost", "lost its power")
		model.Temperature, model.Humidity, model.Busy = -20.25, 75, 5
		reads("initialised again, slow", -20.25, 75)
		model.Busy = 1000
		fails("stuck", "still busy")
		model.Busy, model.AHT10 = 0, true
		fails("AHT10", "or the chip is an AHT10")
		model.AHT10, model.Dead = false, true
		model.LosePower()
		if _, err := Spec.Open(t.Context(), drivertest.OnI2C(0x38, model), "bus", Spec.Options()); err == nil || !strings.Contains(err.Error(), "0x38 on fake is not an AHT20") {
			t.Errorf("no calibration: got %v", err)
		}
	})
}

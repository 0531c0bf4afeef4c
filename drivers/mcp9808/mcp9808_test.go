package mcp9808

import (
	"strings"
	"testing"
	"testing/synctest"

	"periph.io/x/conn/v3/i2c/i2ctest"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/mcp9808/mcp9808test"
)

func TestDriver(t *testing.T) {
	drivertest.Suite{
		Spec: Spec,
		New:  func() *drivertest.Buses { return drivertest.OnI2C(0x18, mcp9808test.New()) },
	}.Run(t)
}

// The traffic byte by byte; the result is that of the data sheet's example of a reading: 0xC194,
// with two alarms set, is 25.25 °C.
func TestPlayback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
			{Addr: 0x1f, W: []byte{6}, R: []byte{0x00, 0x54}},
			{Addr: 0x1f, W: []byte{7}, R: []byte{0x04, 0x01}},
			{Addr: 0x1f, W: []byte{8, 3}},
			{Addr: 0x1f, W: []byte{1, 0, 0}},
			{Addr: 0x1f, W: []byte{5}, R: []byte{0xC1, 0x94}},
			{Addr: 0x1f, W: []byte{1, 1, 0}},
		}}
		d, err := Open(t.Context(), bus, Options{Address: 0x1f})
		if err != nil {
			t.Fatal(err)
		}
		if values, err := d.Read(t.Context()); err != nil || values[0] != drivers.Float("temperature", 25.25) {
			t.Errorf("got %#v, %v", values, err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Below 0 °C the register has the two's complement in thirteen bits.
func TestCelsius(t *testing.T) {
	for raw, want := range map[uint16]float64{0x0000: 0, 0x0001: 0.0625, 0x07D0: 125, 0x1FFF: -0.0625, 0x1FFC: -0.25, 0x1D80: -40, 0xFFFF: -0.0625, 0xE190: 25} {
		if got := celsius(raw); got != want {
			t.Errorf("%04x: want %v °C, got %v", raw, want, got)
		}
	}
}

func TestTraps(t *testing.T) {
	tests := []struct {
		name   string
		change func(*mcp9808test.Chip)
		want   string // the value, or part of the error
	}{
		{"alarms", func(c *mcp9808test.Chip) { c.Alarms, c.Temperature = 0xE000, -12.3125 }, "-12.3125"},
		{"finest resolution", func(c *mcp9808test.Chip) { c.Temperature = 21.0625 }, "21.0625"},
		{"out of range", func(c *mcp9808test.Chip) { c.Temperature = 140 }, "bad(range)"},
		{"another maker", func(c *mcp9808test.Chip) { c.Manufacturer = 0xffff }, "0x18 on fake has the id 0xffff: that is not Microchip's"},
		{"another chip", func(c *mcp9808test.Chip) { c.Device = 0x0201 }, "id 0x201: that is another chip of Microchip's"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				model := mcp9808test.New()
				test.change(model)
				got := ""
				if d, err := Spec.Open(t.Context(), drivertest.OnI2C(0x18, model), "bus", Spec.Options()); err != nil {
					got = err.Error()
				} else if values, err := d.Read(t.Context()); err != nil {
					t.Fatal(err)
				} else {
					got = values[0].GoString()
				}
				if !strings.Contains(got, test.want) {
					t.Errorf("want %q, got %s", test.want, got)
				}
			})
		})
	}
}

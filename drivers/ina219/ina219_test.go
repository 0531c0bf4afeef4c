package ina219

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c/i2ctest"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/ina219/ina219test"
)

func TestDriver(t *testing.T) {
	t.Run("ina219", drivertest.Suite{
		Spec: Spec,
		New:  func() *drivertest.Buses { return drivertest.OnI2C(0x40, ina219test.NewINA219()) },
	}.Run)
	t.Run("ina226", drivertest.Suite{
		Spec:    SpecINA226,
		Options: func(o any) { o.(*Options).Address, o.(*Options).Samples = 0x4f, 128 },
		New:     func() *drivertest.Buses { return drivertest.OnI2C(0x4f, ina219test.NewINA226()) },
	}.Run)
}

// The traffic of one reading, and the data sheets' example: 10 A through 2 mΩ from a supply of 12
// V, of which 11.98 V remain.
func TestPlayback(t *testing.T) {
	tests := []struct {
		variant variant
		ops     []i2ctest.IO
	}{
		{ina219(), []i2ctest.IO{
			{Addr: 0x40, W: []byte{0}, R: []byte{0x39, 0x9F}},
			{Addr: 0x40, W: []byte{0xFE}, R: []byte{0, 0}},
			{Addr: 0x40, W: []byte{0xFF}, R: []byte{0, 0}},
			{Addr: 0x40, W: []byte{0, 0x80, 0x00}},
			{Addr: 0x40, W: []byte{0}, R: []byte{0x39, 0x9F}},
			{Addr: 0x40, W: []byte{0, 0x3C, 0x43}},
			{Addr: 0x40, W: []byte{2}, R: []byte{0x00, 0x00}},
			{Addr: 0x40, W: []byte{2}, R: []byte{0x5D, 0x9A}},
			{Addr: 0x40, W: []byte{0}, R: []byte{0x3C, 0x43}},
			{Addr: 0x40, W: []byte{1}, R: []byte{0x07, 0xD0}},
			{Addr: 0x40, W: []byte{2}, R: []byte{0x5D, 0x9A}},
			{Addr: 0x40, W: []byte{0, 0x3C, 0x40}},
		}},
		{ina226(), []i2ctest.IO{
			{Addr: 0x40, W: []byte{0}, R: []byte{0x41, 0x27}},
			{Addr: 0x40, W: []byte{0xFE}, R: []byte{0x54, 0x49}},
			{Addr: 0x40, W: []byte{0xFF}, R: []byte{0x22, 0x60}},
			{Addr: 0x40, W: []byte{0, 0x80, 0x00}},
			{Addr: 0x40, W: []byte{0}, R: []byte{0x41, 0x27}},
			{Addr: 0x40, W: []byte{0, 0x41, 0x23}},
			{Addr: 0x40, W: []byte{6}, R: []byte{0x00, 0x00}},
			{Addr: 0x40, W: []byte{6}, R: []byte{0x00, 0x08}},
			{Addr: 0x40, W: []byte{0}, R: []byte{0x41, 0x23}},
			{Addr: 0x40, W: []byte{1}, R: []byte{0x1F, 0x40}},
			{Addr: 0x40, W: []byte{2}, R: []byte{0x25, 0x70}},
			{Addr: 0x40, W: []byte{0, 0x41, 0x20}},
		}},
	}
	for _, test := range tests {
		t.Run(test.variant.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := defaults()
				o.Shunt, o.Samples = 0.002, 1
				bus := &i2ctest.Playback{DontPanic: true, Ops: test.ops}
				d, err := test.variant.open(t.Context(), bus, o)
				if err != nil {
					t.Fatal(err)
				}
				values, err := d.Read(t.Context())
				if err != nil || values[0] != drivers.Float("voltage", 11.98) || values[1] != drivers.Float("current", 10) || values[2] != drivers.Float("power", 119.8) {
					t.Errorf("want 11.98 V, 10 A, 119.8 W, got %#v, %v", values, err)
				}
				if err := d.Close(); err != nil {
					t.Error(err)
				}
				if err := bus.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestRead(t *testing.T) {
	tests := []struct {
		name   string
		spec   drivers.Spec
		change func(*ina219test.Chip)
		want   string
	}{
		{"24 V, backwards", Spec, func(c *ina219test.Chip) { c.Volts, c.Amperes = 24, -1.5 }, "{voltage=24(float), current=-1.5(float), power=-36(float)}"},
		{"one count", SpecINA226, func(c *ina219test.Chip) { c.Amperes = 25e-6 }, "current=2.5e-05(float), power=0.0003(float)}"},
		{"shunt at its end", Spec, func(c *ina219test.Chip) { c.Amperes = 3.2 }, "{voltage=12(float), current=bad(overflow), power=bad(overflow)}"},
		{"shunt below its end", Spec, func(c *ina219test.Chip) { c.Amperes = -4 }, "current=bad(overflow)"},
		{"shunt at its end, INA226", SpecINA226, func(c *ina219test.Chip) { c.Amperes = -0.82 }, "current=bad(overflow)"},
		{"flag", Spec, func(c *ina219test.Chip) { c.Overflow = true }, "current=bad(overflow)"},
		{"flag, INA226", SpecINA226, func(c *ina219test.Chip) { c.Overflow = true }, "current=bad(overflow)"},
		{"voltage at its end", Spec, func(c *ina219test.Chip) { c.Volts = 33 }, "{voltage=bad(range), current=0.5(float), power=bad(range)}"},
		{"stuck", SpecINA226, func(c *ina219test.Chip) { c.Slower = time.Second }, "ina226: measurement: the chip is still busy"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				model := ina219test.NewINA219()
				if test.spec.Name == "ina226" {
					model = ina219test.NewINA226()
				}
				test.change(model)
				d, err := test.spec.Open(t.Context(), drivertest.OnI2C(0x40, model), "bus", test.spec.Options())
				if err != nil {
					t.Fatal(err)
				}
				values, err := d.Read(t.Context())
				if got := fmt.Sprintf("%#v %v", values, err); !strings.Contains(got, test.want) {
					t.Errorf("want %q, got %s", test.want, got)
				}
			})
		})
	}
}

func TestPowerLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		model := ina219test.NewINA226()
		d, err := SpecINA226.Open(t.Context(), drivertest.OnI2C(0x40, model), "bus", SpecINA226.Options())
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(5*time.Millisecond, model.LosePower)
		if values, err := d.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "was written as 0x4523 and reads 0x4127: the chip lost its power") {
			t.Errorf("power lost: got %#v, %v", values, err)
		}
		if values, err := d.Read(t.Context()); err != nil || values[1].Float() != 0.5 {
			t.Errorf("want the next reading right without a new set-up, got %#v, %v", values, err)
		}
	})
}

func TestWrongChip(t *testing.T) {
	tests := []struct {
		name string
		spec drivers.Spec
		chip drivertest.Chip
		want string
	}{
		{"INA226 as INA219", Spec, ina219test.NewINA226(), `0x40 on fake has the id 0x54492260: that is an INA226: use driver = "ina226"`},
		{"INA219 as INA226", SpecINA226, ina219test.NewINA219(), `use driver = "ina219" for it`},
	}
	// A bit that is 0 in an INA219: nothing is written.
	bus := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
		{Addr: 0x40, W: []byte{0}, R: []byte{0x41, 0x27}},
		{Addr: 0x40, W: []byte{0xFE}, R: []byte{0, 0}},
		{Addr: 0x40, W: []byte{0xFF}, R: []byte{0, 0}},
	}}
	if _, err := ina219().open(t.Context(), bus, defaults()); err == nil || !strings.Contains(err.Error(), "has 0 in bit 14: is it another chip?") {
		t.Errorf("another chip as INA219: got %v", err)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := test.spec.Open(t.Context(), drivertest.OnI2C(0x40, test.chip), "bus", test.spec.Options())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("want %q, got %v", test.want, err)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	o := defaults()
	if err := o.Check(); err != nil {
		t.Error(err)
	}
	err := (&Options{Address: 40, Shunt: 0, Samples: 2}).Check()
	for _, want := range []string{"write 0x40", "option shunt: 0 Ω; want 1e-05 to 100", "option samples: 2; want 1, 4, 16, 64 or 128"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

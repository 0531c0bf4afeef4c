package dps310

import (
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c/i2ctest"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/bme280/bme280test"
	"github.com/fieldgate/fieldgate/drivers/dps310/dps310test"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
)

func TestDriver(t *testing.T) {
	t.Run("16 times", drivertest.Suite{
		Spec: Spec,
		New:  func() *drivertest.Buses { return drivertest.OnI2C(0x77, dps310test.New()) },
	}.Run)
	t.Run("chip that needs the cure", drivertest.Suite{
		Spec: Spec,
		New: func() *drivertest.Buses {
			model := dps310test.New()
			model.Hot = true
			model.LosePower()
			time.Sleep(time.Second)
			return drivertest.OnI2C(0x77, model)
		},
	}.Run)
	t.Run("once", drivertest.Suite{
		Spec:    Spec,
		Options: func(o any) { o.(*Options).Address, o.(*Options).Oversampling = 0x76, 1 },
		New:     func() *drivertest.Buses { return drivertest.OnI2C(0x76, dps310test.New()) },
	}.Run)
}

// The coefficients of a real chip, and its results: the Linux kernel's driver says 24.738 °C and
// 92.947 kPa for them, with pressure's digits cut off.
func TestCompensation(t *testing.T) {
	c := parseCoefficients(&[18]byte{0x0e, 0x1e, 0xdd, 0x13, 0xca, 0x5f, 0x21, 0x52, 0xf9, 0xc6, 0x04, 0xd1, 0xdb, 0x47, 0x00, 0x5b, 0xfb, 0x3a})
	if want := (coefficients{c0: 225, c1: -291, c00: 81061, c10: -57006, c01: -1594, c11: 1233, c20: -9401, c21: 91, c30: -1222}); c != want {
		t.Errorf("want %+v, got %+v", want, c)
	}
	rawT, rawP := signed(0x0269a6, 24), signed(0xfe2fee, 24)
	scaled := float64(rawT) / scale(1)
	if got := c.celsius(scaled); math.Abs(got-24.738) > 0.001 {
		t.Errorf("want 24.738 °C, got %v", got)
	}
	if got := c.pascal(float64(rawP)/scale(1), scaled); math.Abs(got-92947) > 1 {
		t.Errorf("want 92947 Pa, got %v", got)
	}
	if got := parseCoefficients(&[18]byte{0x80, 0x08, 0x00, 0x80, 0x00, 0x08, 0x00, 0x00, 0x80}); got.c0 != -2048 || got.c1 != -2048 || got.c00 != -524288 || got.c10 != -524288 || got.c01 != -32768 {
		t.Errorf("the lowest numbers: got %+v", got)
	}
}

// The traffic of one reading, byte by byte.
func TestPlayback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const a = 0x77
		coef := []byte{0x0e, 0x1e, 0xdd, 0x13, 0xca, 0x5f, 0x21, 0x52, 0xf9, 0xc6, 0x04, 0xd1, 0xdb, 0x47, 0x00, 0x5b, 0xfb, 0x3a}
		bus := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
			{Addr: a, W: []byte{0x0D}, R: []byte{0x10}},
			{Addr: a, W: []byte{0x08}, R: []byte{0xC0}},
			{Addr: a, W: []byte{0x0C, 0x89}},
			{Addr: a, W: []byte{0x08}, R: []byte{0x40}}, // the coefficients are not there yet
			{Addr: a, W: []byte{0x08}, R: []byte{0xC0}},
			{Addr: a, W: []byte{0x10}, R: coef}, // what the results are computed from, twice
			{Addr: a, W: []byte{0x10}, R: coef},
			{Addr: a, W: []byte{0x28}, R: []byte{0x90}},
			{Addr: a, W: []byte{0x28}, R: []byte{0x90}},
			{Addr: a, W: []byte{0x32}, R: []byte{0x00}},
			{Addr: a, W: []byte{0x32}, R: []byte{0x00}}, // it needs the cure
			{Addr: a, W: []byte{0x0E, 0xA5}},
			{Addr: a, W: []byte{0x0F, 0x96}},
			{Addr: a, W: []byte{0x62, 0x02}},
			{Addr: a, W: []byte{0x0E, 0x00}},
			{Addr: a, W: []byte{0x0F, 0x00}},
			{Addr: a, W: []byte{0x07, 0x80}},
			{Addr: a, W: []byte{0x06, 0x00}},
			{Addr: a, W: []byte{0x09, 0x00}},
			{Addr: a, W: []byte{0x08}, R: []byte{0xC0}},
			{Addr: a, W: []byte{0x08, 0xC2}},
			{Addr: a, W: []byte{0x08}, R: []byte{0xE0}},
			{Addr: a, W: []byte{0x03}, R: []byte{0x02, 0x69, 0xa6}},
			{Addr: a, W: []byte{0x08}, R: []byte{0xC0}},
			{Addr: a, W: []byte{0x08, 0xC1}},
			{Addr: a, W: []byte{0x08}, R: []byte{0xD0}},
			{Addr: a, W: []byte{0x00}, R: []byte{0xfe, 0x2f, 0xee}},
			{Addr: a, W: []byte{0x08, 0xF0}},
		}}
		d, err := Open(t.Context(), bus, Options{Address: a, Oversampling: 1})
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		values, err := d.Read(t.Context())
		if err != nil || values[0] != drivers.Float("temperature", 24.74) || values[1] != drivers.Float("pressure", 92946.31) {
			t.Errorf("got %#v, %v", values, err)
		}
		if took := time.Since(begin); took != 7200*time.Microsecond {
			t.Errorf("waited %v, want twice the data sheet's 3.6 ms", took)
		}
		if err := errors.Join(d.Close(), bus.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestRead(t *testing.T) {
	const good = "{temperature=24.74(float), pressure=92946."
	tests := []struct {
		name   string
		change func(*dps310test.Chip, *Options)
		want   string // the values, or part of the error
	}{
		{"16 times", func(*dps310test.Chip, *Options) {}, good},
		{"128 times", func(_ *dps310test.Chip, o *Options) { o.Oversampling = 128 }, good},
		{"8 times", func(_ *dps310test.Chip, o *Options) { o.Oversampling = 8 }, good},
		{"chip that needs the cure", func(c *dps310test.Chip, _ *Options) { c.Hot = true }, good},
		{"QEMU's model", func(c *dps310test.Chip, o *Options) { c.QEMU, o.Oversampling = true, 1 }, good},
		{"slow", func(c *dps310test.Chip, _ *Options) { c.Busy = 5 }, good},
		{"stuck", func(c *dps310test.Chip, _ *Options) { c.Busy = 1000 }, "measurement: temperature: the chip is still busy"},
		{"not measured", func(c *dps310test.Chip, o *Options) { c.RawTemperature, o.Oversampling = -1<<23, 1 }, "nothing was measured"},
		{"pressure not measured", func(c *dps310test.Chip, o *Options) { c.RawPressure, o.Oversampling = -1<<23, 1 }, "pressure=bad(not measured)"},
		{"bus reads zeros", func(c *dps310test.Chip, _ *Options) { c.RawTemperature = 0 }, "112.5 °C is not what the chip can measure"},
		{"pressure out of range", func(c *dps310test.Chip, _ *Options) { c.RawPressure = 500000 }, "pressure=bad(range)"},
		{"another chip", func(c *dps310test.Chip, _ *Options) { c.ID = 0x42 }, "0x77 on fake has the id 0x42: that is not a DPS310, which has 0x10"},
		{"wrong address", func(_ *dps310test.Chip, o *Options) { o.Address = 0x76 }, "a device answers at 0x77: if that is it (pin SDO), set address = 0x77"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				model, o := dps310test.New(), Spec.Options().(*Options)
				test.change(model, o)
				model.LosePower() // with what was changed
				time.Sleep(time.Second)
				if got := drivertest.Outcome(t, Spec, drivertest.OnI2C(0x77, model), o); !strings.Contains(got, test.want) {
					t.Errorf("want %q, got %s", test.want, got)
				}
			})
		})
	}
}

func TestPowerLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		model := dps310test.New()
		model.Hot = true // the cure is lost with the power
		model.LosePower()
		d, err := Spec.Open(t.Context(), drivertest.OnI2C(0x77, model), "bus", Spec.Options())
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Millisecond, model.LosePower)
		if values, err := d.Read(t.Context()); err == nil {
			t.Errorf("power lost: got %#v", values)
		}
		if values, err := d.Read(t.Context()); err != nil || values[0].Float() != 24.74 {
			t.Errorf("want the next reading right without a new set-up, got %#v, %v", values, err)
		}
	})
}

func TestWrongChip(t *testing.T) {
	ones := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
		{Addr: 0x77, W: []byte{0x0D}, R: []byte{0xFF}},
		{Addr: 0x77, W: []byte{0x08}, R: []byte{0xFF}},
		{Addr: 0x77, W: []byte{0xD0}, R: []byte{0xFF}},
	}}
	if _, err := Open(t.Context(), ones, Options{Address: 0x77, Oversampling: 1}); err == nil || !strings.Contains(err.Error(), "id 0xff: that is not a DPS310") {
		t.Errorf("a bus that reads ones: got %v", err)
	}
	for name, want := range map[string]string{"bme280": `a BME280: use driver = "bme280"`, "bmp280": `a BMP280, which measures no humidity: use driver = "bmp280"`} {
		chip := bme280test.NewBME280()
		if name == "bmp280" {
			chip = bme280test.NewBMP280()
		}
		_, err := Spec.Open(t.Context(), drivertest.OnI2C(0x77, chip), "bus", Spec.Options())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

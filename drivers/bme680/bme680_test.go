package bme680

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/bme680/bme680test"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
)

func TestDriver(t *testing.T) {
	t.Run("bme680", drivertest.Suite{
		Spec: Spec,
		New:  func() *drivertest.Buses { return drivertest.OnI2C(0x76, bme680test.NewBME680()) },
	}.Run)
	t.Run("bme688 without gas", drivertest.Suite{
		Spec:    SpecBME688,
		Options: func(o any) { o.(*Options).Address, o.(*Options).Oversampling, o.(*Options).Gas = 0x77, 16, false },
		New:     func() *drivertest.Buses { return drivertest.OnI2C(0x77, bme680test.NewBME688()) },
	}.Run)
}

// model returns the calibration of the model, as the driver reads it.
func model(t *testing.T) calibration {
	t.Helper()
	chip := bme680test.NewBME680()
	var c coefficients
	if err := errors.Join(chip.Transfer([]byte{0x8A}, c.first[:]), chip.Transfer([]byte{0xE1}, c.second[:]), chip.Transfer([]byte{0x00}, c.third[:])); err != nil {
		t.Fatal(err)
	}
	return c.parse()
}

// What Bosch's program (BME68x_SensorAPI, compiled with floating-point numbers) reads from the same
// bytes and computes from the same raw values.
func TestAgainstBosch(t *testing.T) {
	c := model(t)
	want := calibration{
		t1: 26068, t2: 26458, t3: 3,
		p1: 36384, p2: -10384, p3: 88, p4: 7067, p5: -46, p6: 30, p7: 46, p8: -2934, p9: -2733, p10: 30,
		h1: 752, h2: 1019, h3: 0, h4: 45, h5: 20, h6: 120, h7: -100,
		gh1: -23, gh2: -10468, gh3: 18, resHeatRange: 1, resHeatVal: 44, rangeSwErr: 1,
	}
	if c != want {
		t.Fatalf("want %+v, got %+v", want, c)
	}
	near := func(what string, got, want, within float64) {
		t.Helper()
		if !(math.Abs(got-want) <= within) {
			t.Errorf("%s: want %v, got %v", what, want, got)
		}
	}
	for _, v := range []struct{ rawT, t, p300000, p364000, p420000, h17000, h21000, h25000 float64 }{
		{420000, 0.9185, 104948.87, 94319.58, 85048.95, 22.0894, 43.8411, 69.1309},
		{466000, 15.4283, 107434.95, 96550.97, 87059.99, 22.9105, 45.2712, 71.1235},
		{492000, 23.6306, 108848.16, 97818.96, 88202.41, 23.4442, 46.2064, 72.4351},
		{512000, 29.9405, 109938.41, 98796.96, 89083.37, 23.8873, 46.9829, 73.5241},
		{560000, 45.0862, 112563.21, 101150.71, 91202.88, 25.0599, 49.0279, 76.3775},
	} {
		temp := c.celsius(v.rawT)
		near("temperature", temp, v.t, 0.0002)
		near("pressure", c.pascal(300000, temp), v.p300000, 0.1)
		near("pressure", c.pascal(364000, temp), v.p364000, 0.1)
		near("pressure", c.pascal(420000, temp), v.p420000, 0.1)
		near("humidity", c.humidity(17000, temp), v.h17000, 0.0005)
		near("humidity", c.humidity(21000, temp), v.h21000, 0.0005)
		near("humidity", c.humidity(25000, temp), v.h25000, 0.0005)
	}
	// For the raw values 300 and 800 in each range; those of a BME688 halve from range to range.
	low300 := [16]float64{9496910, 4748455, 2374227.5, 1187113.75, 592963.875, 295273.562, 148389.219, 74905.992, 37134.441, 18548.652, 9277.807, 4641.528, 2318.582, 1161.486, 579.645, 289.823}
	low800 := [16]float64{6589100, 3294550, 1647275, 823637.5, 411407.312, 204114.422, 102954.688, 51818.781, 25764.436, 12869.336, 6432.395, 3214.485, 1608.667, 802.903, 402.167, 201.083}
	for r := range 16 {
		near(fmt.Sprintf("gas 300 in range %d", r), c.ohm(300, r)/low300[r], 1, 1e-5)
		near(fmt.Sprintf("gas 800 in range %d", r), c.ohm(800, r)/low800[r], 1, 1e-5)
		near(fmt.Sprintf("BME688's gas 300 in range %d", r), ohmHigh(300, r), 75764160/math.Pow(2, float64(r)), 4)
		near(fmt.Sprintf("BME688's gas 800 in range %d", r), ohmHigh(800, r), 52851612/math.Pow(2, float64(r)), 4)
	}
	for ambient, want := range map[float64][4]byte{-10: {85, 111, 116, 137}, 25: {87, 113, 118, 139}, 40: {87, 113, 119, 139}} {
		for i, target := range []float64{200, 300, 320, 400} {
			if got := c.setPoint(target, ambient); got != want[i] {
				t.Errorf("heater to %v °C at %v °C: want %d, got %d", target, ambient, want[i], got)
			}
		}
	}
	for ms, want := range map[int]byte{1: 0x01, 63: 0x3f, 64: 0x50, 100: 0x59, 150: 0x65, 197: 0x71, 1000: 0xbe, 4000: 0xfe, 4032: 0xff} {
		if got := gasWait(time.Duration(ms) * time.Millisecond); got != want {
			t.Errorf("heater for %d ms: want %#02x, got %#02x", ms, want, got)
		}
	}
}

func TestRead(t *testing.T) {
	const tph = "{temperature=23.63(float), pressure=97818.96(float), humidity=46.21(float)"
	tests := []struct {
		name   string
		change func(*bme680test.Chip, *Options)
		want   string // the values, or part of the error
	}{
		{"all", func(*bme680test.Chip, *Options) {}, tph + ", gas_resistance=18549(float)}"},
		{"no gas", func(_ *bme680test.Chip, o *Options) { o.Gas = false }, tph + "}"},
		{"full oversampling, long heater", func(_ *bme680test.Chip, o *Options) { o.Oversampling, o.HeaterDuration = 16, 2*time.Second }, "gas_resistance=18549(float)}"},
		{"heater too cold", func(c *bme680test.Chip, _ *Options) { c.Cold = true }, "gas_resistance=bad(heater unstable)}"},
		{"offset", func(_ *bme680test.Chip, o *Options) { o.TemperatureOffset = -2 }, "{temperature=21.63(float), pressure=97818.96(float), humidity=52.17(float)"},
		{"not measured", func(c *bme680test.Chip, _ *Options) { c.Temperature = 0x80000 }, "nothing was measured"},
		{"pressure not measured", func(c *bme680test.Chip, _ *Options) { c.Pressure = 0x80000 }, "pressure=bad(not measured)"},
		{"humidity not measured", func(c *bme680test.Chip, _ *Options) { c.Humidity = 0x8000 }, "humidity=bad(not measured)"},
		{"bus reads ones", func(c *bme680test.Chip, _ *Options) { c.Temperature = 0xfffff }, "not what the chip can measure"},
		{"pressure out of range", func(c *bme680test.Chip, _ *Options) { c.Pressure = 0 }, "pressure=bad(range)"},
		{"slow", func(c *bme680test.Chip, _ *Options) { c.Busy = 5 }, tph},
		{"stuck", func(c *bme680test.Chip, _ *Options) { c.Busy = 1000 }, "measurement: the chip is still busy"},
		{"BME280", func(c *bme680test.Chip, _ *Options) { c.SetID(0x60); c.LosePower() }, `0x76 on fake has the id 0x60: that is a BME280: use driver = "bme280"`},
		{"wrong address", func(_ *bme680test.Chip, o *Options) { o.Address = 0x77 }, "a device answers at 0x76: if that is it (pin SDO), set address = 0x76"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chip, o := bme680test.NewBME680(), Spec.Options().(*Options)
				test.change(chip, o)
				if got := drivertest.Outcome(t, Spec, drivertest.OnI2C(0x76, chip), o); !strings.Contains(got, test.want) {
					t.Errorf("want %q, got %s", test.want, got)
				}
			})
		})
	}
}

func TestBME688(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, err := Spec.Open(t.Context(), drivertest.OnI2C(0x76, bme680test.NewBME688()), "bus", Spec.Options())
		if err != nil {
			t.Fatal(err)
		}
		if values, err := d.Read(t.Context()); err != nil || values[3] != drivers.Float("gas_resistance", 147977) {
			t.Errorf("got %#v, %v", values, err)
		}
	})
}

func TestPowerLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := bme680test.NewBME680()
		d, err := Spec.Open(t.Context(), drivertest.OnI2C(0x76, chip), "bus", Spec.Options())
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(100*time.Millisecond, chip.LosePower)
		if values, err := d.Read(t.Context()); err == nil {
			t.Errorf("power lost: got %#v", values)
		}
		if values, err := d.Read(t.Context()); err != nil || values[0].Float() != 23.63 {
			t.Errorf("want the next reading right without a new set-up, got %#v, %v", values, err)
		}
	})
}

func TestCheck(t *testing.T) {
	o := defaults()
	if err := o.Check(); err != nil {
		t.Error(err)
	}
	err := (&Options{Address: 77, Oversampling: 3, HeaterTemperature: 500, HeaterDuration: 5 * time.Second}).Check()
	for _, want := range []string{"write 0x77", "option oversampling: 3; want", "option heater_temperature: 500 °C; want 200 to 400", "option heater_duration: 5000 ms; want 1 to 4032"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

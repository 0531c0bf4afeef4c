package bme280

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c/i2ctest"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/bme280/bme280test"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
)

func TestDriver(t *testing.T) {
	t.Run("bme280", drivertest.Suite{
		Spec: Spec,
		New:  func() *drivertest.Buses { return drivertest.OnI2C(0x76, bme280test.NewBME280()) },
	}.Run)
	t.Run("bmp280", drivertest.Suite{
		Spec:    SpecBMP280,
		Options: func(o any) { o.(*Options).Address, o.(*Options).Oversampling = 0x77, 16 },
		New:     func() *drivertest.Buses { return drivertest.OnI2C(0x77, bme280test.NewBMP280()) },
	}.Run)
}

// The traffic of one reading, byte by byte, and the data sheet's example.
func TestPlayback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := bme280test.NewBME280()
		low, high := make([]byte, 26), make([]byte, 7)
		if err := errors.Join(chip.Transfer([]byte{0x88}, low), chip.Transfer([]byte{0xE1}, high)); err != nil {
			t.Fatal(err)
		}
		const a = 0x76
		bus := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
			{Addr: a, W: []byte{0xD0}, R: []byte{0x60}},
			{Addr: a, W: []byte{0xE0, 0xB6}},
			{Addr: a, W: []byte{0xF3}, R: []byte{0x01}}, // copying its calibration
			{Addr: a, W: []byte{0xF3}, R: []byte{0x00}},
			{Addr: a, W: []byte{0x88}, R: low}, // the calibration twice
			{Addr: a, W: []byte{0x88}, R: low},
			{Addr: a, W: []byte{0xE1}, R: high},
			{Addr: a, W: []byte{0xE1}, R: high},
			{Addr: a, W: []byte{0xF2, 0x01, 0xF4, 0x25}}, // humidity first
			{Addr: a, W: []byte{0xF3}, R: []byte{0x00}},
			{Addr: a, W: []byte{0xF7}, R: []byte{0x65, 0x5a, 0xc0, 0x7e, 0xed, 0x00, 0x71, 0x48}},
			{Addr: a, W: []byte{0xF4, 0x00}},
		}}
		d, err := bme.open(t.Context(), bus, defaults())
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		values, err := d.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if took, want := time.Since(begin), 9300*time.Microsecond; took != want {
			t.Errorf("waited %v for the measurement, want the %v of section 9.1", took, want)
		}
		if got := values[0]; got != drivers.Float("temperature", 25.08) {
			t.Errorf("want 25.08 °C, got %#v", got)
		}
		if got := values[1]; got != drivers.Float("pressure", 100653.25) {
			t.Errorf("want 100653.25 Pa, got %#v", got)
		}
		if err := errors.Join(d.Close(), bus.Close()); err != nil {
			t.Error(err)
		}
	})
}

// read reads a model once.
func read(t *testing.T, v variant, chip *bme280test.Chip, o Options) ([]drivers.Value, error) {
	t.Helper()
	bus, err := drivertest.OnI2C(uint16(o.Address), chip).I2C("")
	if err != nil {
		t.Fatal(err)
	}
	d, err := v.open(t.Context(), bus, o)
	if err != nil {
		return nil, err
	}
	return d.Read(t.Context())
}

func TestRead(t *testing.T) {
	tests := []struct {
		name   string
		change func(*bme280test.Chip, *Options)
		want   string // the values, or part of the error
	}{
		{"wrong chip: BMP280", func(c *bme280test.Chip, _ *Options) { c.SetID(0x58) }, `id 0x58: that is a BMP280, which measures no humidity: use driver = "bmp280"`},
		{"wrong chip: BME680", func(c *bme280test.Chip, _ *Options) { c.SetID(0x61) }, "that is a BME680"},
		{"wrong chip: unknown", func(c *bme280test.Chip, _ *Options) { c.SetID(0xff) }, "id 0xff: that is an unknown chip"},
		{"not measured", func(c *bme280test.Chip, _ *Options) { c.Temperature = 0x80000 }, "nothing was measured"},
		{"pressure not measured", func(c *bme280test.Chip, _ *Options) { c.Pressure = 0x80000 }, "{temperature=25.08(float), pressure=bad(not measured), humidity=49.08(float)"},
		{"humidity not measured", func(c *bme280test.Chip, _ *Options) { c.RelHumidity = 0x8000 }, "humidity=bad(not measured)}"},
		{"bus reads ones", func(c *bme280test.Chip, _ *Options) { c.Temperature, c.Pressure = 0xfffff, 0xfffff }, "not what the chip can measure"},
		{"bus reads zeros", func(c *bme280test.Chip, _ *Options) { c.Temperature = 0 }, "not what the chip can measure"},
		{"pressure out of range", func(c *bme280test.Chip, _ *Options) { c.Pressure = 0 }, "pressure=bad(range)"},
		{"slow chip", func(c *bme280test.Chip, _ *Options) { c.Busy = 5 }, "{temperature=25.08(float)"},
		{"stuck chip", func(c *bme280test.Chip, _ *Options) { c.Busy = 1000 }, "measurement: the chip is still busy"},
		{"full oversampling", func(_ *bme280test.Chip, o *Options) { o.Oversampling = 16 }, "{temperature=25.08(float)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chip, o := bme280test.NewBME280(), defaults()
				test.change(chip, &o)
				values, err := read(t, bme, chip, o)
				if got := fmt.Sprintf("%#v %v", values, err); !strings.Contains(got, test.want) {
					t.Errorf("want %q, got %s", test.want, got)
				}
			})
		})
	}
}

func TestBlankCalibration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
			{Addr: 0x76, W: []byte{0xD0}, R: []byte{0x58}},
			{Addr: 0x76, W: []byte{0xE0, 0xB6}},
			{Addr: 0x76, W: []byte{0xF3}, R: []byte{0}},
			{Addr: 0x76, W: []byte{0x88}, R: make([]byte, 26)},
		}}
		if _, err := bmp.open(t.Context(), bus, defaults()); err == nil || !strings.Contains(err.Error(), "calibration") {
			t.Errorf("want a chip without calibration refused, got %v", err)
		}
	})
}

func TestWrongAddressHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		buses := drivertest.OnI2C(0x77, bme280test.NewBME280())
		_, err := Spec.Open(t.Context(), buses, "bus", Spec.Options())
		if err == nil || !strings.Contains(err.Error(), "set address = 0x77") {
			t.Errorf("want the other address named, got %v", err)
		}
	})
}

func TestPowerLossIsNoValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := bme280test.NewBME280()
		d, err := Spec.Open(t.Context(), drivertest.OnI2C(0x76, chip), "bus", Spec.Options())
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(5*time.Millisecond, chip.LosePower) // in the middle of the measurement
		if values, err := d.Read(t.Context()); err == nil {
			t.Errorf("want an error, got %#v", values)
		}
		if values, err := d.Read(t.Context()); err != nil || values[0].Float() != 25.08 {
			t.Errorf("want the next reading right without a new set-up, got %#v, %v", values, err)
		}
	})
}

// The formulas with floating-point numbers (8.1) say the same as those with integers, over all that
// the chip can measure.
func TestCompensationAgainstFloatingPoint(t *testing.T) {
	chip := bme280test.NewBME280()
	var low [26]byte
	var high [7]byte
	if err := errors.Join(chip.Transfer([]byte{0x88}, low[:]), chip.Transfer([]byte{0xE1}, high[:])); err != nil {
		t.Fatal(err)
	}
	c := parseCalibration(&low, &high)
	if c.h2 != 362 || c.h4 != 314 || c.h5 != 50 || c.h6 != 30 {
		t.Fatalf("humidity's calibration: %+v", c)
	}
	lastT := math.Inf(-1)
	for raw := int32(320000); raw < 740000; raw += 997 {
		adc := float64(raw)
		var1 := (adc/16384 - float64(c.t1)/1024) * float64(c.t2)
		var2 := (adc/131072 - float64(c.t1)/8192) * (adc/131072 - float64(c.t1)/8192) * float64(c.t3)
		fine := var1 + var2
		got := c.fine(raw)
		if want := fine / 5120; math.Abs(celsius(got)-want) > 0.011 {
			t.Fatalf("raw %d: want %v °C, got %v", raw, want, celsius(got))
		}
		if celsius(got) < lastT {
			t.Fatalf("raw %d: the temperature falls", raw)
		}
		lastT = celsius(got)
		for rawP := int32(200000); rawP < 700000; rawP += 49999 {
			if want := floatPressure(&c, float64(rawP), fine); math.Abs(c.pascal(rawP, got)-want) > 2 {
				t.Fatalf("raw %d, %d: want %v Pa, got %v", raw, rawP, want, c.pascal(rawP, got))
			}
		}
		for rawH := int32(18000); rawH < 42000; rawH += 4999 {
			if want := floatHumidity(&c, float64(rawH), fine); math.Abs(c.humidity(rawH, got)-want) > 0.05 {
				t.Fatalf("raw %d, %d: want %v %%RH, got %v", raw, rawH, want, c.humidity(rawH, got))
			}
		}
	}
}

func floatPressure(c *calibration, adc, fine float64) float64 {
	var1 := fine/2 - 64000
	var2 := var1 * var1 * float64(c.p6) / 32768
	var2 += var1 * float64(c.p5) * 2
	var2 = var2/4 + float64(c.p4)*65536
	var1 = (float64(c.p3)*var1*var1/524288 + float64(c.p2)*var1) / 524288
	var1 = (1 + var1/32768) * float64(c.p1)
	p := 1048576 - adc
	p = (p - var2/4096) * 6250 / var1
	var1 = float64(c.p9) * p * p / 2147483648
	var2 = p * float64(c.p8) / 32768
	return p + (var1+var2+float64(c.p7))/16
}

func floatHumidity(c *calibration, adc, fine float64) float64 {
	h := fine - 76800
	h = (adc - (float64(c.h4)*64 + float64(c.h5)/16384*h)) *
		(float64(c.h2) / 65536 * (1 + float64(c.h6)/67108864*h*(1+float64(c.h3)/67108864*h)))
	h *= 1 - float64(c.h1)*h/524288
	return min(max(h, 0), 100)
}

func TestSignedCalibration(t *testing.T) {
	c := parseCalibration(&[26]byte{}, &[7]byte{0, 0x80, 0xff, 0xff, 0x5e, 0x80, 0xff})
	if c.h2 != -32768 || c.h3 != 255 || c.h4 != -2 || c.h5 != -2043 || c.h6 != -1 {
		t.Errorf("got %+v", c)
	}
}

func TestTemperatureOffset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := defaults()
		plain, err := read(t, bme, bme280test.NewBME280(), o)
		if err != nil {
			t.Fatal(err)
		}
		o.TemperatureOffset = -2
		cooler, err := read(t, bme, bme280test.NewBME280(), o)
		if err != nil {
			t.Fatal(err)
		}
		if got := cooler[0].Float(); math.Abs(got-23.08) > 1e-9 {
			t.Errorf("want 23.08 °C, got %v", got)
		}
		// 31.9 hPa of saturation at 25.08 °C, 28.3 hPa at 23.08 °C.
		if got := cooler[2].Float() / plain[2].Float(); math.Abs(got-1.128) > 0.003 {
			t.Errorf("want 1.128 times the humidity, got %v", got)
		}
		if cooler[1] != plain[1] {
			t.Errorf("the pressure changed: %#v", cooler[1])
		}
	})
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name string
		o    Options
		want string
	}{
		{"decimal address", Options{Address: 76, Oversampling: 1}, "option address: 0x4c; want 0x76 or 0x77; addresses are hexadecimal: write 0x76"},
		{"oversampling 3", Options{Address: 0x76, Oversampling: 3}, "option oversampling: 3;"},
		{"oversampling 0", Options{Address: 0x76}, "option oversampling: 0;"},
		{"offset", Options{Address: 0x76, Oversampling: 1, TemperatureOffset: math.NaN()}, "option temperature_offset: NaN"},
		{"OK", Options{Address: 0x77, Oversampling: 16, TemperatureOffset: -3}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.o.Check()
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("want %q, got %v", test.want, err)
			}
		})
	}
}

// A session recorded with `fieldgate record` from the model, with a transfer that failed in it.
func TestRecording(t *testing.T) {
	drivertest.Replay(t, Spec, "testdata/session.json")
}

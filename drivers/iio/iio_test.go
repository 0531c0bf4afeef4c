package iio

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/kit/board"
)

// machine returns the root of one with a barometer, a converter and an accelerometer, laid out as
// Linux 6.1 does.
func machine(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for folder, files := range map[string]map[string]string{
		"platform/soc/fe804000.i2c/i2c-1/1-0077/iio:device1": {"name": "dps310", "in_temp_input": "24738", "in_pressure_input": "92.947000000"},
		"platform/soc/fe804000.i2c/i2c-1/1-0048/iio:device0": {"name": "ads1015", "in_voltage0_raw": "1000", "in_voltage0_scale": "3.000000000",
			"in_voltage0-voltage1_raw": "-20", "in_voltage-voltage_scale": "0.5", "in_voltage3_raw": "x"},
		"platform/adxl/iio:device2": {"name": "adxl345", "in_accel_x_raw": "100", "in_accel_scale": "0.038300", "in_temp_raw": "200", "in_temp_offset": "-50", "in_temp_scale": "100"},
		"platform/gas/iio:device3":  {"name": "gas", "in_concentration_co2_raw": "800", "in_concentration_scale": "0.0001", "in_humidityrelative_input": "45500"},
	} {
		real := filepath.Join(root, "sys/devices", folder)
		link := filepath.Join(root, "sys/bus/iio/devices", filepath.Base(folder))
		if err := errors.Join(os.MkdirAll(real, 0o755), os.MkdirAll(filepath.Dir(link), 0o755), os.Symlink(real, link)); err != nil {
			t.Fatal(err)
		}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(real, name), []byte(text+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

func TestDriver(t *testing.T) {
	root := machine(t)
	suite := func(device string, channels map[string]string, files ...string) drivertest.Suite {
		for i, name := range files {
			files[i] = filepath.Join(root, "sys/bus/iio/devices", name)
		}
		return drivertest.Suite{
			Spec: Spec, Files: files,
			Options: func(o any) { *o.(*Options) = Options{root: root, Name: device, Channels: channels} },
		}
	}
	t.Run("processed", suite("dps310", map[string]string{"temperature": "temp", "pressure": "pressure"},
		"iio:device1/name", "iio:device1/in_temp_input", "iio:device1/in_pressure_input").Run)
	t.Run("raw", suite("adxl345", map[string]string{"temperature": "temp"},
		"iio:device2/in_temp_raw", "iio:device2/in_temp_offset", "iio:device2/in_temp_scale").Run)
}

func TestRead(t *testing.T) {
	root := machine(t)
	tests := []struct {
		name, device string
		channel      string
		want         string // the value, or part of the error
	}{
		{"temperature in m°C", "dps310", "temp", "v=24.738(float)"},
		{"pressure in kPa", "dps310", "pressure", "v=92947(float)"},
		{"humidity in m%", "gas", "humidityrelative", "v=45.5(float)"},
		{"raw and scale", "ads1015", "voltage0", "v=3(float)"},
		{"difference", "ads1015", "voltage0-voltage1", "v=-0.01(float)"},
		{"shared scale", "adxl345", "accel_x", "v=3.83(float)"},
		{"offset before scale", "adxl345", "temp", "v=15(float)"},
		{"percent to ppm", "gas", "concentration_co2", "v=800(float)"},
		{"no number", "ads1015", "voltage3", "iio: ads1015 at 1-0048: v: "},
		{"no such channel", "dps310", "voltage1", "it has no channel voltage1; it has pressure, temp"},
		{"nobody", "bme280", "temp", "no device is bme280: is its kernel driver loaded (" + board.Here().Overlay() + "), and does the device answer? Present: ads1015 at 1-0048"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := Options{Name: test.device, Channels: map[string]string{"v": test.channel}, root: root}
			if err := o.Check(); err != nil {
				t.Fatal(err)
			}
			if got := drivertest.Outcome(t, Spec, drivertest.None(), &o); !strings.Contains(got, test.want) {
				t.Errorf("want %q, got %s", test.want, got)
			}
		})
	}
}

// A number without a meaning is compared as the kernel gives it, before offset and scale.
func TestInvalid(t *testing.T) {
	root := machine(t)
	for _, test := range []struct {
		device, channel string
		invalid         []float64
		want            string
	}{
		{"adxl345", "temp", []float64{-32768, 200}, "v: not measured"},
		{"adxl345", "temp", []float64{15, 15000, 150}, "v=15(float)"},
		{"dps310", "pressure", []float64{92.947}, "v: not measured"},
	} {
		o := Options{Name: test.device, Channels: map[string]string{"v": test.channel}, Invalid: test.invalid, root: root}
		if got := drivertest.Outcome(t, Spec, drivertest.None(), &o); !strings.Contains(got, test.want) {
			t.Errorf("%s %s: want %q, got %s", test.device, test.channel, test.want, got)
		}
	}
}

// The steps of a converter with a decimal scale are decimals, not 237.73000000000002.
func TestDecimals(t *testing.T) {
	root := machine(t)
	file := filepath.Join(root, "sys/bus/iio/devices/iio:device0/in_voltage0_raw")
	for scale, raws := range map[string][]string{"10": {"23773", "3", "7"}, "0.187500000": {"23773", "-1"}, "0.001": {"1234567"}} {
		if err := os.WriteFile(filepath.Join(root, "sys/bus/iio/devices/iio:device0/in_voltage0_scale"), []byte(scale), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, raw := range raws {
			if err := os.WriteFile(file, []byte(raw), 0o644); err != nil {
				t.Fatal(err)
			}
			d, err := Open(t.Context(), Options{Name: "ads1015", Channels: map[string]string{"v": "voltage0"}, root: root})
			if err != nil {
				t.Fatal(err)
			}
			values, err := d.Read(t.Context())
			if err != nil || drivers.Decimals(values[0].Float()) < 0 {
				t.Errorf("%s × %s: got %#v, %v", raw, scale, values, err)
			}
		}
	}
}

func TestUnits(t *testing.T) {
	o := &Options{Name: "x", Channels: map[string]string{"a": "accel_x", "b": "magn_z", "c": "massconcentration_pm2p5"}}
	got := fields(o)
	if err := o.Check(); err != nil || got[0].Unit != "m/s2" || got[1].Unit != "T" || got[2].Unit != "ug/m3" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestCheck(t *testing.T) {
	err := (&Options{Channels: map[string]string{"A": "temp", "b": "warmth", "c": "temp/../x"}}).Check()
	for _, want := range []string{"option name: it is missing", "option channels.A: the name of a field", `option channels.b: "warmth" begins with none of temp, pressure`, "option channels.c"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

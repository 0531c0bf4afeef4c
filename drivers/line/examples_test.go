package line_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/line"
)

// documented returns the sensors of the package comment by their names.
func documented(t *testing.T) map[string]*config.Sensor {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	toml := "[mqtt]\nurls = [\"mqtt://localhost\"]\n"
	inside := false
	for comment := range strings.Lines(string(text)) {
		code, ok := strings.CutPrefix(comment, "//\t")
		inside = ok && (inside || strings.HasPrefix(code, "[[sensor]]"))
		if inside {
			toml += code
		}
	}
	c, err := config.Parse([]config.Source{{Name: "doc.go", Text: toml}}, config.Catalogue{Drivers: []drivers.Spec{line.Spec}, Formats: config.Words{{Name: "json"}}})
	if err != nil {
		t.Fatal(err)
	}
	sensors := map[string]*config.Sensor{}
	for i := range c.Sensors {
		sensors[c.Sensors[i].Name] = &c.Sensors[i]
	}
	return sensors
}

// Each example reads what the device or program says that it is for.
func TestExamples(t *testing.T) {
	sensors := documented(t)
	for _, test := range []struct{ name, says, answer, want string }{
		{"greenhouse", "T=21.5 H=48 door=1\r\n", "", "temperature=21.5(float), humidity=48(float), door_open=true(bool)"},
		{"aquarium", "Aquarium 1.2\r\nWater: 24.25 C\r\nAir: -127 C\r\n----\r\n", "", "water=24.25(float), air=bad(not measured)"},
		{"meter", "/ESY5Q3DA1024 V3.04\r\n\r\n1-0:0.0.0*255(1ESY1011000000)\r\n1-0:1.8.0*255(00012345.6789012*kWh)\r\n1-0:21.7.0*255(000123.45*W)\r\n1-0:1.7.0*255(000456.70*W)\r\n!\r\n", "",
			"energy=12345.6789012(float), power=456.7(float)"},
		{"balance", "", "S S -    12.50 g\r\n", "weight=-12.5(float)"},
		{"heat-meter", "1.234,5;21,5 \xb0C\r\n", "", "energy=1234.5(float), flow_temperature=21.5(float)"},
		{"garden", `{"time" : "2026-11-28 23:01:02", "model" : "Acurite-Tower", "id" : 1234, "battery_ok" : 1, "temperature_C" : 21.500, "humidity" : 48}` + "\n" +
			`{"time" : "2026-11-28 23:01:03", "model" : "Acurite-Tower", "id" : 77, "battery_ok" : 1, "temperature_C" : 5.100, "humidity" : 80}` + "\n", "",
			"battery_ok=true(bool), humidity=48(float), temperature=21.5(float)"},
		{"processor", "temp=48.3'C\n", "", "temperature=48.3(float)"},
		{"ups", "battery.charge: 100\nbattery.runtime: 1680\ninput.voltage: 231.0\nups.load: 12\nups.status: OL CHRG\n----\n", "", "charge=100(float), voltage=231(float), status=OL CHRG(string)"},
		{"attic", `{"temperature": null, "battery": {"level": 97}}` + "\n", "", "battery=97(float), temperature=bad(not measured)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := sensors[test.name]
				if s == nil {
					t.Fatal("there is no such example")
				}
				d, err := line.Spec.Open(t.Context(), drivertest.OnSerial(drivertest.Device{
					Every: time.Second, Says: func(int) string { return test.says }, Answers: func([]byte) string { return test.answer },
				}), s.Bus, s.Options)
				if err != nil {
					t.Fatal(err)
				}
				values, err := d.Read(t.Context())
				if got := fmt.Sprintf("%#v", values); err != nil || got != "[]drivers.Value{"+test.want+"}" {
					t.Errorf("want %s\n got %s, %v", test.want, got, err)
				}
			})
		})
		delete(sensors, test.name)
	}
	for name := range sensors {
		t.Errorf("the example %s is not tried", name)
	}
}

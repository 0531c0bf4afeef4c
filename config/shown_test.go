package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/config"
)

// TestShownHidesSecrets: what a file sets is listed with its place, and no secret of it, in
// whatever way it got there.
func TestShownHidesSecrets(t *testing.T) {
	const text = `# the password is hunter2
[gateway]
id = "gw"
[mqtt]
urls = ["mqtts://user:hunter2@broker", "wss://broker/mqtt?key=hunter2", "wss://broker/mqtt?X-Amz-Signature=hunter2#x"]
password_file = "/etc/fieldgate/password"
password_command = ["get", "hunter2"]
proxy = "http://user:hunter2@proxy:3128"
username = "${MQTT_USER}"
[enrol.parameters]
Code = "hunter2"
[[sensor]]
name = "hall"
driver = "line"
every = "1s"
[sensor.options]
api_key = "hunter2"
program = ["curl", "--token", "hunter2"]
header = "Authorization: hunter2"
nested = { secret = { a = "hunter2" } }
baud = 9600
`
	t.Setenv("MQTT_USER", "hunter2")
	var got []string
	for _, s := range config.Shown([]config.Source{{Name: "/etc/fieldgate/fieldgate.toml", Text: text}, {Name: "x", Text: "wrong ="}}) {
		got = append(got, fmt.Sprintf("%s %s = %s", s.From, s.Key, s.Value))
	}
	all := strings.Join(got, "\n")
	if strings.Contains(all, "hunter2") {
		t.Errorf("a secret is shown:\n%s", all)
	}
	for _, want := range []string{
		`fieldgate.toml:3 gateway.id = "gw"`,
		`fieldgate.toml:6 mqtt.password_file = "/etc/fieldgate/password"`,
		`fieldgate.toml:7 mqtt.password_command = (hidden)`,
		`fieldgate.toml:8 mqtt.proxy = "http://proxy:3128" (hidden)`,
		`fieldgate.toml:9 mqtt.username = "${MQTT_USER}"`,
		`fieldgate.toml:14 sensor.hall.driver = "line"`,
		`fieldgate.toml:17 sensor.hall.options.api_key = (hidden)`,
		`fieldgate.toml:18 sensor.hall.options.program = (hidden)`,
		`fieldgate.toml:21 sensor.hall.options.baud = 9600`,
	} {
		if !strings.Contains("\n"+all+"\n", "\n"+want+"\n") {
			t.Errorf("%s is missing in\n%s", want, all)
		}
	}
}

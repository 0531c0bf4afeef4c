package platforms_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/platform/platforms"
)

func parse(t *testing.T, text string) (*config.Config, error) {
	t.Helper()
	return config.Parse([]config.Source{{Name: "f.toml", Text: text}}, config.Catalogue{Platforms: platforms.Limits(), Formats: config.Words{{Name: "json"}}})
}

// TestEveryPlatformIsGood: each preset is a configuration without a mistake, sets what it is
// documented to set, and gives way to the file.
func TestEveryPlatformIsGood(t *testing.T) {
	for _, p := range platforms.Limits() {
		head := "[gateway]\nid = \"gw\"\n[cloud]\nplatform = \"" + p.Name + "\"\n[mqtt]\nurls = [\"mqtts://b:443\"]\n"
		c, err := parse(t, head)
		if err != nil {
			t.Fatal(err)
		}
		m := c.MQTT
		if m.PublishRate == 0 || m.BytesRate == 0 || m.MessageMax == 0 || c.Telemetry.Last || c.Platform().Name != p.Name || p.Doc == "" {
			t.Errorf("%s: %+v", p.Name, m)
		}
		if from := fromOf(c, "mqtt.publish_rate"); from != "platform "+p.Name {
			t.Errorf("%s: publish_rate is from %q", p.Name, from)
		}
		if c, err = parse(t, head+"publish_rate = 7\n[telemetry]\nlast = true\n"); err != nil || c.MQTT.PublishRate != 7 || !c.Telemetry.Last || c.MQTT.BytesRate != m.BytesRate {
			t.Errorf("%s: %+v, %v", p.Name, c, err)
		} else if from := fromOf(c, "mqtt.publish_rate"); from != "f.toml:7" {
			t.Errorf("%s: publish_rate is from %q", p.Name, from)
		}
		if c, err = parse(t, head+"line = \"metered\"\nkeep_alive = \"2m\"\n"); err != nil || c.Telemetry.Compress != "zstd" || c.MQTT.KeepAlive.Minutes() != 2 {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
}

func fromOf(c *config.Config, key string) string {
	for _, s := range c.Settings() {
		if s.Key == key {
			return s.From
		}
	}
	return ""
}

func TestALPNByThePort(t *testing.T) {
	head := "[gateway]\nid = \"gw\"\n[cloud]\nplatform = \"aws\"\n[mqtt]\nurls = [\"mqtts://b:443\"]\n"
	certificate := "[mqtt.tls]\ncert_file = \"/c\"\nkey_file = \"/k\"\n"
	for _, tt := range []struct {
		text, url string
		want      []string
	}{
		{head + certificate, "mqtts://b:443", []string{"x-amzn-mqtt-ca"}},
		{head, "mqtts://b:443", []string{"mqtt"}},
		{head + certificate, "mqtts://b:8883", nil},
		{head + certificate, "wss://b:443/mqtt", nil},
		{head + certificate + "alpn = [\"own\"]\n", "mqtts://b:8883", []string{"own"}},
	} {
		c, err := parse(t, tt.text)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Protocols(u); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.url, got, tt.want)
		}
	}
}

// TestThingsAndRules: names and topics that AWS IoT has are taken.
func TestThingsAndRules(t *testing.T) {
	for _, text := range []string{
		"thing = \"a:b_c-1\"\nshadow = \"s:1\"\n",
		"[telemetry]\ntopic = \"$aws/rules/in_gest1/{topic}\"\n[gateway]\ntopic_prefix = \"a/b/c/d\"\n",
		"[telemetry]\ntopic = \"site/{topic}\"\n[gateway]\ntopic_prefix = \"a/b/c\"\n",
	} {
		text = "[cloud]\nplatform = \"aws\"\n" + text
		if !strings.Contains(text, "[gateway]") {
			text += "[gateway]\n"
		}
		if _, err := parse(t, text+"id = \"gw\"\n[mqtt]\nurls = [\"mqtts://b\"]\n"); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestWhatAPlatformCannotDo is a mistake at its key.
func TestWhatAPlatformCannotDo(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"eventgrid", "online = \"every 15m\"\n", "mqtt.online: eventgrid publishes a will 5m0s after"},
		{"eventgrid", "keep_alive = \"20m\"\n", "mqtt.keep_alive is 20m0s: eventgrid allows 0s to 19m20s"},
		{"aws", "keep_alive = \"10s\"\n", "mqtt.keep_alive is 10s: aws allows 30s to 20m0s"},
		{"aws", "[gateway]\ntopic_prefix = \"a/b/c/d/e\"\n", "gateway.topic_prefix has too many levels"},
		{"aws", "[telemetry]\ntopic = \"site/{topic}\"\n[gateway]\ntopic_prefix = \"a/b/c/d\"\n", "site/a/b/c/d/gw/telemetry/s/undated have 9, and aws allows 8"},
		{"aws", "[telemetry]\ntopic = \"" + strings.Repeat("x", 240) + "/{topic}\"\n[[sensor]]\nname = \"hall\"\ndriver = \"sim\"\nevery = \"1s\"\n", "bytes, and aws allows 256"},
		{"aws", "[telemetry]\ntopic = \"$aws/rules/in-gest/{topic}\"\n", "telemetry.topic is \"$aws/rules/in-gest/{topic}\""},
		{"aws", "[telemetry]\ntopic = \"$aws/rules/a/b/{topic}\"\n", "below $ there are only"},
		{"aws", "[telemetry]\ntopic = \"$aws/rules//{topic}\"\n", "below $ there are only"},
		{"aws", "[telemetry]\ntopic = \"$aws/things/x/{topic}\"\n", "below $ there are only"},
		{"eventgrid", "[telemetry]\ntopic = \"$aws/rules/a/{topic}\"\n", "below $ there are only"},
		{"aws", "[telemetry]\ntopic = \"a/+/{topic}\"\n", "no wildcards"},
		{"aws", "[telemetry]\ntopic = \"a{topic}\"\n", "must end with /{topic}"},
		{"aws", "[telemetry]\ntopic = \"a/\"\n", "must end with /{topic}"},
		{"aws", "client_id = \"a b\"\n", "cloud.thing is \"a b\""},
		{"aws", "client_id = \"a/b\"\n", "cloud.thing is \"a/b\""},
		{"azure", "", "cloud.platform must be one of aws, eventgrid"},
	} {
		text := "[cloud]\nplatform = \"" + tt.name + "\"\n[mqtt]\nurls = [\"mqtts://b\"]\n" + tt.text
		if !strings.Contains(text, "[gateway]") {
			text += "[gateway]\nid = \"gw\"\n"
		} else {
			text += "id = \"gw\"\n"
		}
		if _, err := parse(t, text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/config"
)

var things = config.Catalogue{Formats: config.Words{{Name: "json"}}, Platforms: []config.Platform{{Word: config.Word{Name: "aws"}, Things: true}}}

const claim = "[enrol]\nclaim_cert = \"/c\"\nclaim_key = \"/k\"\ntemplate = \"t\"\n"

// TestEnrol: what can never enrol is a mistake, at its place.
func TestEnrol(t *testing.T) {
	const head = "[gateway]\nid = \"g\"\n[cloud]\nplatform = \"aws\"\n[mqtt]\nurls = [\"mqtts://h\"]\n" // its lines are 1 to 6
	for _, v := range []struct{ name, text, says string }{
		{"right", head + claim, ""},
		{"without a platform", strings.Replace(head, "platform = \"aws\"", "", 1) + claim, "f.toml:7:2: enrol: only a platform with things"},
		{"without a template", head + strings.Replace(claim, "template = \"t\"\n", "", 1), "f.toml:7:2: enrol.template is missing"},
		{"relative path", head + strings.Replace(claim, "/c", "c", 1), "f.toml:8:14: enrol.claim_cert must be the full path"},
		{"name of the template", head + strings.Replace(claim, "\"t\"", "\"a/b\"", 1), "f.toml:10:12: enrol.template is \"a/b\""},
		{"long name", head + claim + "common_name = \"" + strings.Repeat("x", 65) + "\"\n", "f.toml:11:15: enrol.common_name must have at most 64"},
		{"beside a certificate", head + claim + "[mqtt.tls]\ncert_file = \"/x\"\nkey_file = \"/y\"\n", "f.toml:12:13: mqtt.tls.cert_file: with [enrol]"},
		{"no broker", strings.Replace(head, "\"mqtts://h\"", "", 1) + claim, "f.toml:7:2: enrol: mqtt.urls must name"},
		{"no TLS", strings.Replace(head, "mqtts", "mqtt", 1) + claim, "f.toml:6:9: mqtt.urls.0: a claim is a certificate"},
	} {
		t.Run(v.name, func(t *testing.T) {
			c, err := config.Parse([]config.Source{{Name: "f.toml", Text: v.text}}, things)
			switch {
			case v.says == "" && (err != nil || !c.ToEnrol()):
				t.Errorf("%v", err)
			case v.says != "" && (err == nil || !strings.Contains(err.Error(), v.says)):
				t.Errorf("want %q, got %v", v.says, err)
			}
		})
	}
}

// TestEnrolled: what enrolment wrote counts below the files, and only if they have [enrol].
func TestEnrolled(t *testing.T) {
	dir := t.TempDir()
	file, enrolled := filepath.Join(dir, "fieldgate.toml"), filepath.Join(dir, config.EnrolledFile)
	load := func(text string) *config.Config {
		t.Helper()
		if err := os.WriteFile(file, []byte("[cloud]\nplatform = \"aws\"\n[mqtt]\nurls = [\"mqtts://h\"]\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		sources, err := config.ReadSources(file, enrolled)
		if err != nil {
			t.Fatal(err)
		}
		c, err := config.Parse(sources, things)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if c := load(claim); !c.ToEnrol() {
		t.Error("without a file it is enrolled")
	}
	own := "[gateway]\nid = \"gw-17\"\ntopic_prefix = \"plant7\"\n[cloud]\nthing = \"gw-17\"\n[mqtt]\nclient_id = \"gw-17\"\n[mqtt.tls]\ncert_file = \"/a\"\nkey_file = \"/b\"\n"
	if err := os.WriteFile(enrolled, []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	if c := load(claim); c.ToEnrol() || c.Gateway.ID != "gw-17" || c.MQTT.ClientID != "gw-17" || c.Cloud.Thing != "gw-17" || c.Gateway.TopicPrefix != "plant7" || c.MQTT.TLS.CertFile != "/a" {
		t.Errorf("%+v", c.MQTT)
	}
	if c := load(claim + "[gateway]\ntopic_prefix = \"site\"\n"); c.Gateway.TopicPrefix != "site" || c.Gateway.ID != "gw-17" {
		t.Errorf("the file does not win: %+v", c.Gateway)
	}
	if c := load("# no enrol\n"); c.MQTT.TLS.CertFile != "" || c.MQTT.ClientID == "gw-17" {
		t.Errorf("it counts without [enrol]: %+v", c.MQTT)
	}
	c := load(claim + "[mqtt.tls]\n")
	if without := c.WithoutBroker("why"); without.NoBroker() != "why" || c.NoBroker() != "" || len(c.MQTT.URLs) != 1 {
		t.Errorf("%q, %q", without.NoBroker(), c.NoBroker())
	}
}

package homeassistant

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers/all"
	"github.com/fieldgate/fieldgate/internal/command"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/payload/formats"
	"github.com/fieldgate/fieldgate/internal/shadow"
)

// factsOf parses a configuration with discovery on. More is added to its tables.
func factsOf(t *testing.T, text string) *Facts {
	t.Helper()
	text = "[gateway]\nid = \"gw1\"\n[mqtt]\nurls = [\"mqtt://127.0.0.1\"]\n[homeassistant]\ndiscovery = true\n" + text
	c, err := config.Parse([]config.Source{{Name: "f.toml", Text: text}}, config.Catalogue{Drivers: all.Specs(), Formats: formats.Words(), Commands: command.Words(), Allowed: command.Allowed()})
	if err != nil {
		t.Fatal(err)
	}
	return &Facts{Config: c, Topics: contract.NewTopics(c.Gateway.TopicPrefix, c.Gateway.ID), Version: "v1", Model: "a board"}
}

// documents returns the documents of the configuration as it is, by the name of the sensor; "" is
// the gateway's.
func documents(t *testing.T, f *Facts) map[string]document {
	t.Helper()
	named := map[string]document{}
	for topic, text := range f.Documents(shadow.Base(f.Config)) {
		var d document
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", topic, err)
		}
		if d.Device.Via == "" {
			named[""] = d
		} else {
			named[d.Device.Name] = d
		}
		if want := "homeassistant/device/" + d.Device.Identifiers[0] + "/config"; topic != want {
			t.Errorf("%s announces the device %s", topic, d.Device.Identifiers[0])
		}
	}
	return named
}

// A rendering is a template with what it is given.
type rendering struct {
	Template string  `json:"template"`
	Message  any     `json:"message"` // value_json
	Value    any     `json:"value"`   // of a command
	Now      float64 `json:"now"`
}

// jinja runs templates as Home Assistant does: in the sandbox, with its functions for time. What is
// not defined is an error, which Home Assistant logs.
const jinja = `
import datetime, json, sys
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
env = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
def as_timestamp(x):
    if isinstance(x, str):
        x = datetime.datetime.fromisoformat(x.replace("Z", "+00:00"))
    return x.timestamp()
out = []
for r in json.load(sys.stdin):
    now = lambda r=r: datetime.datetime.fromtimestamp(r["now"], datetime.timezone.utc)
    out.append(env.from_string(r["template"], globals={"now": now, "as_timestamp": as_timestamp}).render(value_json=r["message"], value=r["value"]))
json.dump(out, sys.stdout)
`

// render renders templates with python3-jinja2.
func render(t *testing.T, list []rendering) (texts []string) {
	t.Helper()
	python := "python3"
	if exec.Command(python, "-c", "import jinja2").Run() != nil {
		python = "/usr/bin/python3" // Debian's, if another one is before it
	}
	if err := exec.Command(python, "-c", "import jinja2").Run(); err != nil {
		t.Skip("python3-jinja2 is not installed")
	}
	script := filepath.Join(t.TempDir(), "render.py")
	if err := os.WriteFile(script, []byte(jinja), 0o644); err != nil {
		t.Fatal(err)
	}
	in, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, script)
	cmd.Stdin = strings.NewReader(string(in))
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		errors.As(err, &exit)
		t.Fatalf("jinja: %v: %s", err, exit.Stderr)
	}
	if err := json.Unmarshal(out, &texts); err != nil {
		t.Fatal(err)
	}
	return texts
}

// noon is when messages were measured.
var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// message is a message with readings of these fields, in JSON; ts is a JSON value.
func message(t *testing.T, ts string, fields ...string) any {
	t.Helper()
	readings := make([]string, len(fields))
	for i, f := range fields {
		readings[i] = `{"seq":1,"ts":` + ts + `,"fields":` + f + `}`
	}
	var v any
	if err := json.Unmarshal([]byte(`{"v":1,"readings":[`+strings.Join(readings, ",")+`]}`), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

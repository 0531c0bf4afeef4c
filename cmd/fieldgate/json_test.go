package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/fieldgate/fieldgate/drivers/modbus/modbustest"
)

// withoutJSON are the commands that have no --json, each with what it prints instead.
var withoutJSON = map[string]string{
	"run": "the log", "demo": "a table for the eye", "unit": "a file for systemd", "record": "JSON anyway", "queue export": "JSON lines or CSV by --format",
}

// TestEveryCommandHasJSON: one way for programs, the same everywhere.
func TestEveryCommandHasJSON(t *testing.T) {
	seen := map[string]bool{}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		name := strings.TrimPrefix(c.CommandPath(), "fieldgate ")
		if c.HasSubCommands() || c.Name() == "help" {
			return
		}
		seen[name] = true
		if has := c.Flags().Lookup("json") != nil; has == (withoutJSON[name] != "") {
			t.Errorf("%s has --json: %v; withoutJSON says %q", name, has, withoutJSON[name])
		}
	}
	walk(newRoot())
	for name := range withoutJSON {
		if !seen[name] {
			t.Errorf("there is no command %s", name)
		}
	}
}

// documentedMembers returns what docs/operations.md says of the members that a command prints.
func documentedMembers(t *testing.T) map[string]map[string]bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(docs, "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n### JSON for programs\n")
	if !ok {
		t.Fatal("operations.md has no section JSON for programs")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	all := map[string]map[string]bool{}
	code := regexp.MustCompile("`([^`]+)`")
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		members := map[string]bool{}
		for _, m := range code.FindAllStringSubmatch(cells[2], -1) {
			members[m[1]] = true
		}
		for _, m := range code.FindAllStringSubmatch(cells[1], -1) {
			all[m[1]] = members
		}
	}
	return all
}

// TestJSONOfEveryCommand: what each prints can be parsed, and its members are documented.
func TestJSONOfEveryCommand(t *testing.T) {
	meter := modbustest.NewUnit().Holding(0, 7).Holding(7, 7)
	port := modbusLine(t, 0, map[byte]*modbustest.Unit{3: meter})
	running := newGateway(t, "mqtt://127.0.0.1:1", waveSensor)
	running.running()
	eventually(t, 10*time.Second, "the sensor is read", func() bool { s, err := running.ask(); return err == nil && len(s.Newest["wave"].Values) > 0 })
	stopped := newGateway(t, "mqtt://127.0.0.1:1", waveSensor)
	wrong := filepath.Join(t.TempDir(), "wrong.toml")
	if err := os.WriteFile(wrong, []byte("[mqtt]\nurls = [\"mqtt://h\"]\nnonsense = 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	on, off := []string{"-c", running.path("fieldgate.toml")}, []string{"-c", stopped.path("fieldgate.toml")}
	claimed := newFakeAWS(t).gateway()
	retiring := newGateway(t, "mqtt://127.0.0.1:1", waveSensor)
	retiring.running()
	retiring.stop()
	documented := documentedMembers(t)
	covered := map[string]bool{}
	for _, v := range []struct {
		command string
		args    []string
		code    int
	}{
		{"version", nil, exitDone},
		{"check", append([]string{"-v"}, off...), exitDone},
		{"check", []string{wrong}, exitUsage},
		{"read", append([]string{"wave"}, off...), exitDone},
		{"scan", off, exitDone},
		{"doctor", append([]string{"--state-dir", stopped.dir}, off...), exitFailed},
		{"status", on, exitDone},
		{"top", on, exitDone},
		{"queue stats", on, exitDone},
		{"queue size", append([]string{"--for", "1h"}, off...), exitDone},
		{"queue dead-letter list", on, exitDone},
		{"queue dead-letter retry", append([]string{"--all"}, on...), exitDone},
		{"queue dead-letter drop", append([]string{"--all"}, on...), exitDone},
		{"verify", []string{os.DevNull}, exitFailed},
		{"modbus scan", append([]string{port, "--units", "3", "--baud", "9600", "--parity", "none"}, off...), exitDone},
		{"modbus identify", append([]string{port, "--unit", "3"}, off...), exitDone},
		{"modbus read", append([]string{port, "--unit", "3"}, off...), exitDone},
		{"modbus write", append([]string{port, "8", "--unit", "3", "--address", "7", "--yes"}, off...), exitDone},
		{"init", []string{"-o", filepath.Join(t.TempDir(), "etc", "f.toml"), "--yes", "--broker", "none", "--no-scan"}, exitDone},
		{"reload", on, exitDone},
		{"enrol aws", []string{"-c", claimed.path("fieldgate.toml"), "--state-dir", claimed.dir}, exitDone},
		{"retire", []string{"-c", retiring.path("fieldgate.toml"), "--state-dir", retiring.dir, "--no-broker", "--empty", "--export", filepath.Join(t.TempDir(), "waiting")}, exitDone},
		{"tail", append([]string{"wave"}, on...), exitDone},
	} {
		covered[v.command] = true
		args := append(strings.Fields(v.command), v.args...)
		c := exec.Command(needBinary(t), append(args, "--json")...)
		var out, said bytes.Buffer
		c.Stdout, c.Stderr = &out, &said
		if v.command == "tail" { // it has no end of its own
			shown := new(syncBuffer)
			c.Stdout = shown
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, 10*time.Second, "tail prints", func() bool { return strings.Contains(shown.String(), "\n") })
			_ = c.Process.Signal(os.Interrupt)
			_ = c.Wait()
			out.WriteString(shown.String())
		} else {
			_ = c.Run()
		}
		if code := c.ProcessState.ExitCode(); code != v.code {
			t.Errorf("%s: exit code %d, want %d: %s", v.command, code, v.code, &said)
		}
		for _, member := range membersIn(t, v.command, out.Bytes()) {
			if !documented[v.command][member] {
				t.Errorf("operations.md: the row of %s does not have `%s`", v.command, member)
			}
		}
	}
	for name := range documented {
		if !covered[name] {
			t.Errorf("operations.md has a row of %q, which is not tried here", name)
		}
	}
}

// membersIn returns the members of the objects in a text of JSON values.
func membersIn(t *testing.T, command string, text []byte) []string {
	t.Helper()
	seen := map[string]bool{}
	for in := json.NewDecoder(bytes.NewReader(text)); in.More(); {
		var v any
		if err := in.Decode(&v); err != nil {
			t.Errorf("%s: %v in\n%s", command, err, text)
			break
		}
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		for _, e := range list {
			object, ok := e.(map[string]any)
			if !ok {
				t.Errorf("%s: %v is not an object", command, e)
			}
			for name := range object {
				seen[name] = true
			}
		}
	}
	if len(text) == 0 && command != "queue dead-letter list" {
		t.Errorf("%s prints nothing", command)
	}
	return slices.Sorted(maps.Keys(seen))
}

// TestTailOfSome: tail shows the named sensors alone, and knows which there are.
func TestTailOfSome(t *testing.T) {
	g := newGateway(t, "mqtt://127.0.0.1:1", waveSensor+strings.Replace(waveSensor, `"wave"`, `"other"`, 1))
	g.running()
	c := exec.Command(g.binary, "tail", "other", "-c", g.path("fieldgate.toml"))
	out := new(syncBuffer)
	c.Stdout, c.Stderr = out, out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "five readings", func() bool { return strings.Count(out.String(), "\n") > 5 })
	_ = c.Process.Signal(os.Interrupt)
	_ = c.Wait()
	if strings.Contains(out.String(), "wave") || !strings.Contains(out.String(), "  other #") {
		t.Errorf("got %s", out)
	}
	if text, code := g.command("tail", "wav", "-c", g.path("fieldgate.toml")); code != exitUsage || !strings.Contains(text, `there is no sensor "wav" (did you mean "wave"?); there are other, wave`) {
		t.Errorf("exit code %d: %s", code, text)
	}
}

package main

import (
	"database/sql"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// installation is a gateway that the launcher starts, as an installed package does.
type installation struct {
	*gatewayRig
	usr     string
	program string // the real one
}

func install(t *testing.T, broker, rest string) *installation {
	t.Helper()
	g := newGateway(t, broker, rest)
	i := &installation{g, filepath.Join(g.dir, "usr"), g.binary}
	for _, dir := range []string{"bin", "lib/fieldgate"} {
		if err := os.MkdirAll(filepath.Join(i.usr, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	i.copy("../../systemd/start", "lib/fieldgate/start")
	i.copy(i.program, "bin/fieldgate")
	g.binary = filepath.Join(i.usr, "lib/fieldgate/start")
	g.env = append(g.env, "STATE_DIRECTORY="+g.dir)
	return i
}

func (i *installation) copy(from, to string) {
	i.t.Helper()
	src, err := os.Open(from)
	if err != nil {
		i.t.Fatal(err)
	}
	defer src.Close()
	dst, err := os.OpenFile(filepath.Join(i.usr, to+".new"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		i.t.Fatal(err)
	}
	if _, err := io.Copy(dst, src); err != nil {
		i.t.Fatal(err)
	}
	if err := dst.Close(); err != nil {
		i.t.Fatal(err)
	}
	if err := os.Rename(dst.Name(), filepath.Join(i.usr, to)); err != nil {
		i.t.Fatal(err)
	}
}

// upgrade does what the package does: the program that runs is kept, another takes its place.
// script is what that one does; "" is the real program.
func (i *installation) upgrade(script string) {
	i.t.Helper()
	from := i.program
	if script != "" {
		from = i.path("new")
		if err := os.WriteFile(from, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			i.t.Fatal(err)
		}
	}
	i.copy(i.program, "lib/fieldgate/former")
	i.copy(from, "bin/fieldgate")
}

// TestUpgradeIsOnTrial: a good program is confirmed. One that does not reach the broker, one that
// cannot use the configuration and one that cannot open the store are taken back, with the reason,
// and what they had measured arrives.
func TestUpgradeIsOnTrial(t *testing.T) {
	t.Parallel()
	m := newMosquitto(t)
	c := collect(t, m.url())
	i := install(t, m.url(), waveSensor)
	i.running()
	i.online()
	c.until(t, "telemetry/wave", "")
	i.stop()

	i.upgrade("")
	i.running()
	c.until(t, "events/update", `"confirmed"`)
	if text, code := i.command("status", "--socket", i.path("control.sock"), "--check", "--wait", "10s"); code != exitDone {
		t.Errorf("exit code %d: %s", code, text)
	}
	i.stop()

	broken := func(name, text string) string {
		file := i.path(name)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("exec %q run -c %q --state-dir %q", i.program, file, i.dir)
	}
	text, err := os.ReadFile(i.path("fieldgate.toml"))
	if err != nil {
		t.Fatal(err)
	}
	nowhere := strings.Replace(string(text), m.url(), "mqtt://127.0.0.1:1", 1)
	for _, tt := range []struct{ name, script, want string }{
		{"no broker", broken("nowhere.toml", strings.Replace(nowhere, "[gateway]", "[gateway]\nconfirm_within = \"10s\"", 1)),
			"version dev has not reached its broker within 10s, and the former version could"},
		{"another configuration", "rm " + i.path("last-good.json") + "; " + broken("wrong.toml", string(text)+"colour = 1\n"), "version dev cannot use the configuration: "},
	} {
		c.take()
		i.upgrade(tt.script)
		i.start()
		if code := i.wait(); code != exitFailed {
			t.Errorf("%s: exit code %d", tt.name, code)
		}
		i.running()
		c.until(t, "events/update", `"taken-back"`)
		c.until(t, "events/update", tt.want)
		c.until(t, "telemetry/wave", "")
		if s, err := i.ask(); err != nil || !strings.Contains(strings.Join(s.Health.Reasons, "\n"), tt.want) {
			t.Errorf("%s: %v %q", tt.name, err, s.Health.Reasons)
		}
		if text, code := i.command("status", "--socket", i.path("control.sock"), "--check", "--wait", "1s"); code != exitDegraded || !strings.Contains(text, "taken back") {
			t.Errorf("exit code %d: %s", code, text)
		}
		if code := i.stop(); code != exitDone {
			t.Errorf("exit code %d", code)
		}
	}
}

// TestOlderProgramIsRefused: one that does not know the store's schema is taken back at once, and
// its reason names the way out.
func TestOlderProgramIsRefused(t *testing.T) {
	t.Parallel()
	i := install(t, "mqtt://127.0.0.1:1", waveSensor)
	i.running()
	i.stop()
	db, err := sql.Open("sqlite3", i.path("queue.db"))
	if err == nil {
		_, err = db.Exec("PRAGMA user_version=1000")
	}
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	i.upgrade("")
	i.start()
	if code := i.wait(); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	text, err := os.ReadFile(i.path("taken-back"))
	if err != nil || !strings.Contains(string(text), "version dev does not start: ") || !strings.Contains(string(text), "newer version") {
		t.Errorf("%v: %s", err, text)
	}
}

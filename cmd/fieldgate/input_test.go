package main

import (
	"database/sql"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/launch"

	_ "github.com/mattn/go-sqlite3" // to make files that are not ours
)

// TestMistakesInTheConfiguration: `check` and a first `run` alike list all of them; `run` exits
// with a code of its own, which systemd does not start again.
func TestMistakesInTheConfiguration(t *testing.T) {
	g := newGateway(t, "mqtt://127.0.0.1:1", "[[sensor]]\nname = \"a/b\"\ndriver = \"simm\"\nevery = \"-1s\"\n[[sensor]]\nname = \"x\"\ndriver = \"sim\"\nevery = \"1s\"\n[[sensor]]\nname = \"x\"\ndriver = \"sim\"\nevery = \"1s\"\n[sensor.options]\nperod = 3\n")
	want := []string{`:10:8: sensor "a/b".name must not contain '/'`, `:11:10: unknown driver "simm" (did you mean "sim"?)`, `:12:9: sensor "a/b".every must be from`,
		`:18:8: a sensor named "x" exists already`, `unknown key "perod" in sensor "x".options (did you mean "period"?)`, "  name = \"a/b\"\n         ^", "5 mistakes"}
	for _, args := range [][]string{{"check"}, {"run", "--state-dir", g.dir}, {"read", "x"}} {
		out, code := g.command(append(args, "-c", g.path("fieldgate.toml"))...)
		wantCode := exitUsage
		if args[0] == "run" {
			wantCode = exitConfig
		}
		if code != wantCode {
			t.Errorf("%v: exit code %d, want %d", args, code, wantCode)
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("%v: want %q in\n%s", args, w, out)
			}
		}
	}
}

func TestUsage(t *testing.T) {
	g := newGateway(t, "mqtt://127.0.0.1:1", waveSensor)
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"rum"}, exitUsage, `unknown command "rum"`},
		{[]string{"run", "--sate-dir", "x"}, exitUsage, "unknown flag: --sate-dir"},
		{[]string{"read", "-c", g.path("fieldgate.toml")}, exitUsage, "which sensor? there are wave\n"},
		{[]string{"read", "-c", g.path("no-such.toml")}, exitUsage, "which sensor? open "},
		{[]string{"read", "wave", "hall", "-c", g.path("fieldgate.toml")}, exitUsage, "one sensor at a time, not wave, hall"},
		{[]string{"record", "-c", g.path("fieldgate.toml")}, exitUsage, "which sensor? there are wave\n"},
		{[]string{"check", "-c", g.path("fieldgate.toml")}, exitDone, "1 sensor, broker mqtt://127.0.0.1:1\n"},
		{[]string{"read", "nope", "-c", g.path("fieldgate.toml")}, exitUsage, `there is no sensor "nope"; there are wave`},
		{[]string{"check", "-c", g.path("no-such.toml")}, exitUsage, "no-such.toml: no such file or directory: write it, or name another one with -c"},
		{[]string{"status", "-c", g.path("fieldgate.toml")}, exitFailed, "no fieldgate answers at"},
		{[]string{"read", "wave", "-c", g.path("fieldgate.toml")}, exitDone, "\n(sim, "},
		{[]string{"version"}, exitDone, "fieldgate "},
	} {
		if out, code := g.command(tt.args...); code != tt.code || !strings.Contains(out, tt.says) {
			t.Errorf("%v: want %d …%s…, got %d %s", tt.args, tt.code, tt.says, code, out)
		}
	}
}

// TestStoreThatCannotBeOpened: the message names the file and the remedy, and nothing is
// overwritten.
func TestStoreThatCannotBeOpened(t *testing.T) {
	foreign := func(t *testing.T, path string) {
		db, err := sql.Open("sqlite3", path)
		if err == nil {
			_, err = db.Exec("CREATE TABLE addresses(name); INSERT INTO addresses VALUES('somebody')")
		}
		if err == nil {
			err = db.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name string
		make func(t *testing.T, path string)
		says string
	}{
		{"not a database", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("these are my holiday notes\n", 500)), 0o644); err != nil {
				t.Fatal(err)
			}
		}, "not a store"},
		{"somebody else's database", foreign, "not a store"},
		{"a newer version's", func(t *testing.T, path string) {
			g := newGateway(t, "mqtt://127.0.0.1:1", "[buffer]\npath = \""+path+"\"\n"+waveSensor)
			g.running()
			g.stop()
			db, err := sql.Open("sqlite3", path)
			if err == nil {
				_, err = db.Exec("PRAGMA user_version=1000")
			}
			if err == nil {
				err = db.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
		}, "newer version"},
		{"a directory", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o755); err != nil {
				t.Fatal(err)
			}
		}, ""},
		{"directory missing", func(*testing.T, string) {}, "directory does not exist"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := t.TempDir() + "/queue.db"
			if tt.name == "directory missing" {
				path = t.TempDir() + "/no/queue.db"
			}
			tt.make(t, path)
			before, _ := os.ReadFile(path)
			g := newGateway(t, "mqtt://127.0.0.1:1", "[buffer]\npath = \""+path+"\"\n"+waveSensor)
			out, code := g.command("run", "-c", g.path("fieldgate.toml"), "--state-dir", g.dir)
			if code != exitFailed || !strings.Contains(out, path) || !strings.Contains(out, tt.says) {
				t.Errorf("want exit code %d, %s and %q, got %d: %s", exitFailed, path, tt.says, code, out)
			}
			t.Log(strings.TrimSpace(out))
			if after, _ := os.ReadFile(path); string(after) != string(before) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestConfigurationThatBecameWrongDoesNotStopAGateway(t *testing.T) {
	g := newGateway(t, "mqtt://127.0.0.1:1", waveSensor)
	g.running()
	g.configure("mqtt://127.0.0.1:1", waveSensor+"driver = \"other\"\n")
	if out, code := g.command("reload", "-c", g.path("fieldgate.toml"), "--socket", g.path("control.sock")); code != exitUsage || !strings.Contains(out, "fieldgate.toml:13:1") {
		t.Errorf("reload: exit code %d: %s", code, out)
	}
	g.stop()
	g.running()
	s, err := g.ask()
	if err != nil || s.Config != launch.LastGood || len(s.Problem) != 1 || s.Health.State != "degraded" {
		t.Errorf("status: %v %q %q %q", err, s.Config, s.Problem, s.Health.State)
	}
	if !strings.Contains(g.log.String(), "continuing with the last good one") {
		t.Error("the log does not say so")
	}
	// Repaired, a reload takes it in without a stop of the process.
	g.configure("mqtt://127.0.0.1:1", waveSensor+"[[sensor]]\nname = \"second\"\ndriver = \"sim\"\nevery = \"1s\"\n")
	if out, code := g.command("reload", "-c", g.path("fieldgate.toml")); code != exitDone {
		t.Fatalf("reload: exit code %d: %s", code, out)
	}
	eventually(t, 10*time.Second, "the new configuration runs", func() bool {
		now, err := g.ask()
		return err == nil && now.Config == launch.Current && now.PID == s.PID && len(now.Health.Sensors) == 2
	})
}

// TestConfigurationThatCannotWorkDoesNotStopAGateway: it reads well, but the store's directory is
// not there, or a port is taken; what ran before runs on.
func TestConfigurationThatCannotWorkDoesNotStopAGateway(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, tt := range []struct{ name, text, says string }{
		{"store", "[buffer]\npath = \"/no/such/directory/queue.db\"\n", "directory does not exist"},
		{"metrics", "[metrics]\nlisten = \"" + taken.Addr().String() + "\"\n", "address already in use"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGateway(t, "mqtt://127.0.0.1:1", waveSensor)
			g.running()
			g.configure("mqtt://127.0.0.1:1", tt.text+waveSensor)
			if out, code := g.command("reload", "-c", g.path("fieldgate.toml")); code != exitFailed || !strings.Contains(out, tt.says) {
				t.Fatalf("reload: %d: %s", code, out)
			}
			eventually(t, 10*time.Second, "the last good configuration runs", func() bool {
				s, err := g.ask()
				return err == nil && s.Config == launch.LastGood && len(s.Problem) == 1 && strings.Contains(s.Problem[0], tt.says)
			})
			if code := g.stop(); code != exitDone {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// TestStoreInUseIsNoWrongConfiguration: the last good configuration has the same store; the new one
// waits for it.
func TestStoreInUseIsNoWrongConfiguration(t *testing.T) {
	g := newGateway(t, "mqtt://127.0.0.1:1", waveSensor)
	g.running()
	g.stop()
	g.configure("mqtt://127.0.0.1:1", waveSensor+"[[sensor]]\nname = \"second\"\ndriver = \"sim\"\nevery = \"1s\"\n")
	lock, err := os.Open(g.path("queue.db.lock"))
	if err == nil {
		defer lock.Close()
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	out, code := g.command("run", "-c", g.path("fieldgate.toml"), "--state-dir", g.dir)
	if code != exitFailed || !strings.Contains(out, "stop the process that has it open") || strings.Contains(out, "last good") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// TestMissingSensorIsToldOnceAndTheRestRunsOn: in log, status and health; once for every change.
func TestMissingSensorIsToldOnceAndTheRestRunsOn(t *testing.T) {
	m := newMosquitto(t)
	g := newGateway(t, m.url(), waveSensor+"[[sensor]]\nname = \"gone\"\ndriver = \"bme280\"\nbus = \"/dev/i2c-77\"\nevery = \"200ms\"\n")
	s := subscribe(t, m, "#")
	g.running()
	eventually(t, 10*time.Second, "events, health and telemetry tell it", func() bool {
		return s.count("fieldgate/gw/events/sensor", `"gone"`) == 1 && s.count("fieldgate/gw/health", `"gone":{"state":"missing"`) > 0 &&
			s.newest("fieldgate/gw/telemetry/wave") != ""
	})
	var status contract.LocalStatus
	var err error
	eventually(t, 20*time.Second, "several attempts", func() bool {
		status, err = g.ask()
		return err == nil && status.Health.Sensors["gone"].Failures >= 4
	})
	if err != nil || status.Health.Sensors["gone"].State != "missing" || !strings.Contains(status.Health.Sensors["gone"].Error, "/dev/i2c-77") || status.Health.Sensors["wave"].State != "ok" {
		t.Errorf("status: %v %+v", err, status.Health.Sensors)
	}
	if n := strings.Count(g.log.String(), "sensor=gone"); n != 1 {
		t.Errorf("the log tells it %d times", n)
	}
	t.Log(status.Health.Sensors["gone"].Error)
}

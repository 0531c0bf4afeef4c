package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/mqtt"
)

// A user who may not ask whether the gateway runs touches neither its sensors nor its broker.
func TestMayNotAskIsNotDoesNotRun(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to be somebody else")
	}
	needOther(t)
	m := newMosquitto(t)
	g := newGateway(t, m.url(), "[[sensor]]\nname = \"meter\"\ndriver = \"line\"\nbus = \"/dev/ttyS9\"\nevery = \"1h\"\n[sensor.options]\npattern = '(?P<x>\\d+)'\n[sensor.options.fields.x]\nunit = \"1\"\n")
	g.running()
	eventually(t, 10*time.Second, "it is connected", func() bool { s, err := g.ask(); return err == nil && s.Health.Link.Connected })
	for dir := g.dir; dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(g.dir, "fieldgate")
	if out, err := exec.Command("cp", g.binary, program).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, args := range [][]string{{"doctor", "--state-dir", g.dir}, {"record", "meter"}, {"read", "meter"}, {"scan"}} {
		c := exec.Command(program, append(args, "-c", g.path("fieldgate.toml"))...)
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := c.CombinedOutput()
		if !strings.Contains(string(out), "nothing was tried") || !strings.Contains(string(out), "join the group") || err == nil && args[0] != "scan" {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	// Nobody at the socket, and yet the store is open.
	out, code := g.command("doctor", "-c", g.path("fieldgate.toml"), "--state-dir", g.dir, "--socket", g.path("other.sock"))
	if code != exitFailed || !strings.Contains(out, "has the store") || !strings.Contains(out, "nothing was tried") || strings.Contains(out, "broker") {
		t.Errorf("another socket: %d, %s", code, out)
	}
	if s, err := g.ask(); err != nil || s.Health.Link.Reconnects > 0 || !s.Health.Link.Connected {
		t.Errorf("the gateway was thrown off its broker: %+v, %v", s.Health.Link, err)
	}
}

// Doctor connects as the gateway if that does not run, and takes nothing of what waits for it.
func TestDoctorLeavesQueuedCommands(t *testing.T) {
	m := newMosquitto(t)
	g := newGateway(t, m.url(), "[commands]\nallow = [\"flush\"]\n")
	replies := make(chan string, 10)
	listen(t, m.url(), func(msg *mqtt.Message) {
		if strings.HasSuffix(msg.Topic, "/reply/flush") {
			replies <- string(msg.Payload)
		}
	})
	g.running()
	eventually(t, 10*time.Second, "it is connected", func() bool { s, err := g.ask(); return err == nil && s.Health.Link.Connected })
	g.stop()
	m.client("mosquitto_pub", "-q", "1", "-t", "fieldgate/gw/cmd/flush", "-m", `{"id":"waits"}`)
	for range 2 {
		if out, _ := g.command("doctor", "-c", g.path("fieldgate.toml"), "--state-dir", g.dir); !strings.Contains(out, "it accepts this gateway") {
			t.Errorf("doctor: %s", out)
		}
	}
	g.running()
	select {
	case got := <-replies:
		if !strings.Contains(got, `"id":"waits"`) || !strings.Contains(got, "succeeded") {
			t.Errorf("got %s", got)
		}
	case <-time.After(10 * time.Second):
		t.Error("the command that waited is gone")
	}
}

// A socket that this user may not ask is not a gateway that runs, and is asked only if none
// answers.
func TestChooseSocket(t *testing.T) {
	dir := t.TempDir()
	a, b, c := filepath.Join(dir, "none/a"), filepath.Join(dir, "b"), filepath.Join(dir, "c")
	for _, tt := range []struct {
		name          string
		errs          map[string]error
		path, another string
	}{
		{"one answers", map[string]error{a: fs.ErrNotExist, b: nil, c: syscall.ECONNREFUSED}, b, ""},
		{"one answers and one may not be asked", map[string]error{a: fs.ErrPermission, b: nil, c: fs.ErrNotExist}, b, ""},
		{"two answer", map[string]error{a: fs.ErrPermission, b: nil, c: nil}, b, c},
		{"one may not be asked", map[string]error{a: fs.ErrNotExist, b: syscall.ECONNREFUSED, c: fs.ErrPermission}, c, ""},
		{"none", map[string]error{a: fs.ErrNotExist, b: fs.ErrNotExist, c: fs.ErrNotExist}, b, ""},
	} {
		path, another := chooseSocket([]string{a, b, c}, func(path string) error { return tt.errs[path] })
		if path != tt.path || another != tt.another {
			t.Errorf("%s: %s, another %q", tt.name, path, another)
		}
	}
}

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/internal/contract"
)

// A person is an ordinary user of a bare machine: a home directory, and none of the service's.
type person struct {
	t       *testing.T
	home    string
	program string
	env     []string
}

func newPerson(t *testing.T) *person {
	t.Helper()
	needOther(t)
	home, err := os.MkdirTemp("", "person") // sockets have short names
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	p := &person{t: t, home: home, program: filepath.Join(home, "fieldgate"), env: []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}}
	if out, err := exec.Command("cp", needBinary(t), p.program).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(home, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p *person) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.home, name), []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func (p *person) command(args ...string) *exec.Cmd {
	c := exec.Command(p.program, args...)
	c.Dir, c.Env = p.home, p.env
	if os.Geteuid() == 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	return c
}

// runs starts a gateway and returns what it logs; it is stopped with the test.
func (p *person) runs(args ...string) *syncBuffer {
	p.t.Helper()
	log := new(syncBuffer)
	c := p.command(append([]string{"run"}, args...)...)
	c.Stderr = log
	if err := c.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		if err := c.Wait(); err != nil {
			p.t.Errorf("run: %v\n%s", err, log)
		}
	})
	return log
}

// says runs a command and returns what it prints.
func (p *person) says(args ...string) string {
	out, _ := p.command(args...).CombinedOutput()
	return string(out)
}

const aPerson = "[gateway]\nid = \"mine\"\ntrust_clock = true\n[mqtt]\nurls = [\"mqtt://127.0.0.1:1\"]\n[[sensor]]\nname = \"room\"\ndriver = \"sim\"\nevery = \"100ms\"\n"

// TestAnOrdinaryUserRunsAGateway: run makes its directories, and a user who asks for the gateway
// finds it without a flag.
func TestAnOrdinaryUserRunsAGateway(t *testing.T) {
	for _, session := range []bool{false, true} {
		p := newPerson(t)
		p.write("fg.toml", aPerson)
		runtime := filepath.Join(p.home, ".local/state/fieldgate")
		if session {
			p.env = append(p.env, "XDG_RUNTIME_DIR="+filepath.Join(p.home, "session"))
			if out, err := exec.Command("install", "-d", "-m", "700", "-o", "65534", filepath.Join(p.home, "session")).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			runtime = filepath.Join(p.home, "session/fieldgate")
		}
		log := p.runs("fg.toml")
		var s contract.LocalStatus
		eventually(t, 10*time.Second, "status finds the gateway", func() bool {
			out, err := p.command("status", "-c", "fg.toml", "--json").Output()
			return err == nil && json.Unmarshal(out, &s) == nil && s.Gateway == "mine"
		})
		for _, dir := range []string{filepath.Join(p.home, ".local/state/fieldgate"), runtime} {
			if i, err := os.Stat(dir); err != nil || i.Mode().Perm() != 0o700 {
				t.Errorf("%s: %v, %v", dir, i, err)
			}
		}
		if _, err := os.Stat(filepath.Join(p.home, ".local/state/fieldgate/queue.db")); err != nil {
			t.Error(err)
		}
		if out := p.says("doctor", "-c", "fg.toml"); !strings.Contains(out, "gateway") || strings.Contains(out, "nothing was tried") {
			t.Errorf("doctor: %s", out)
		}
		eventually(t, 10*time.Second, "queue lists the sensor", func() bool { return strings.Contains(p.says("queue", "stats", "-c", "fg.toml"), "room") })
		// Reload says what happened, and when it returns the gateway answers.
		if out := p.says("reload", "-c", "fg.toml"); !strings.HasPrefix(out, "reloaded: gateway mine works again, with 1 sensor (run ") {
			t.Errorf("reload: %s\n%s", out, log)
		}
		before := s.Health.Run
		if out, err := p.command("status", "-c", "fg.toml", "--json").Output(); err != nil || json.Unmarshal(out, &s) != nil || s.Health.Run == before {
			t.Errorf("after the reload: %v, run %s, before %s", err, s.Health.Run, before)
		}
	}
}

// TestWhatPeopleType: a configuration file needs no -c, and --version is asked of every program.
func TestWhatPeopleType(t *testing.T) {
	p := newPerson(t)
	p.write("fg.toml", aPerson)
	p.write("other.toml", aPerson)
	if out := p.says("check", "fg.toml"); !strings.HasPrefix(out, "fg.toml: ok: gateway mine") {
		t.Errorf("check FILE: %s", out)
	}
	if out := p.says("check", "-c", "fg.toml", "fg.toml"); !strings.HasPrefix(out, "fg.toml: ok") {
		t.Errorf("the same twice: %s", out)
	}
	for _, args := range [][]string{{"check", "-c", "fg.toml", "other.toml"}, {"run", "-c", "fg.toml", "other.toml"}, {"check", "fg.toml", "other.toml"}} {
		if err := p.command(args...).Run(); err == nil || err.(*exec.ExitError).ExitCode() != exitUsage {
			t.Errorf("%v: %v", args, err)
		}
	}
	if err := p.command("run", "none.toml").Run(); err == nil || err.(*exec.ExitError).ExitCode() != exitConfig {
		t.Errorf("run without a configuration: %v", err)
	}
	if out := p.says("--version"); out != p.says("version") || !strings.HasPrefix(out, "fieldgate ") {
		t.Errorf("--version: %q", out)
	}
}

// TestWaitingBeforeTheGatewayIsThere: status --wait finds a gateway that starts meanwhile, also if
// another place has the folder of an earlier one.
func TestWaitingBeforeTheGatewayIsThere(t *testing.T) {
	m := newMosquitto(t)
	p := newPerson(t)
	p.write("fg.toml", strings.Replace(aPerson, "mqtt://127.0.0.1:1", m.url(), 1))
	p.env = append(p.env, "XDG_RUNTIME_DIR="+filepath.Join(p.home, "session"))
	if out, err := exec.Command("install", "-d", "-m", "700", "-o", "65534", filepath.Join(p.home, "session"), filepath.Join(p.home, ".local"),
		filepath.Join(p.home, ".local/state"), filepath.Join(p.home, ".local/state/fieldgate")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	waiting := p.command("status", "-c", "fg.toml", "--check", "--wait", "10s")
	var out syncBuffer
	waiting.Stdout, waiting.Stderr = &out, &out
	if err := waiting.Start(); err != nil {
		t.Fatal(err)
	}
	p.runs("fg.toml")
	if err := waiting.Wait(); err != nil || !strings.HasPrefix(out.String(), "online; 1 of 1 sensors ok") {
		t.Errorf("%v: %s", err, &out)
	}
}

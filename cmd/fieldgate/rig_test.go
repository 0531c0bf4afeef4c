package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/control"
)

// binaryDir is the folder of the program under test; "" while no test has asked for it.
var binaryDir string

// binary is the program under test, built once, by the first test that asks.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "fieldgate-test-")
	if err != nil {
		return "", err
	}
	binaryDir = dir
	file := filepath.Join(dir, "fieldgate")
	out, err := exec.Command("go", "build", "-tags", "sqlite_omit_load_extension,netgo,osusergo", "-o", file, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return file, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if binaryDir != "" {
		os.RemoveAll(binaryDir)
	}
	os.Exit(code)
}

func needBinary(t testing.TB) string {
	t.Helper()
	file, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// needMosquitto returns the broker's path, or skips.
func needMosquitto(t testing.TB) string {
	t.Helper()
	if _, err := exec.LookPath("mosquitto_pub"); err == nil {
		for _, path := range []string{"mosquitto", "/usr/sbin/mosquitto"} {
			if path, err := exec.LookPath(path); err == nil {
				return path
			}
		}
	}
	t.Skip("mosquitto is not installed")
	return ""
}

// mosquitto is a real broker on a free loopback port whose state survives stop and start.
type mosquitto struct {
	t    testing.TB
	dir  string
	port string
	cmd  *exec.Cmd
	log  syncBuffer
}

func newMosquitto(t testing.TB, more ...string) *mosquitto {
	t.Helper()
	needMosquitto(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	l.Close()
	if err != nil {
		t.Fatal(err)
	}
	m := &mosquitto{t: t, dir: t.TempDir(), port: port}
	// No limit of the broker's own may lose a message: the gateway is under test. The queue has a
	// number: with 0, mosquitto 2.0.11 ends the connection of a client whose PUBLISH it denies.
	if len(more) == 0 {
		more = []string{"allow_anonymous true"}
	}
	text := "max_queued_messages 10000000\nmax_inflight_messages 1000\n" + strings.Join(more, "\n") +
		fmt.Sprintf("\nlistener %s 127.0.0.1\npersistence true\npersistence_location %s/\n", port, m.dir)
	if os.Geteuid() == 0 {
		text += "user root\n"
	}
	if err := os.WriteFile(filepath.Join(m.dir, "mosquitto.conf"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	m.start()
	t.Cleanup(m.stop)
	return m
}

func (m *mosquitto) start() {
	m.t.Helper()
	m.cmd = exec.Command(needMosquitto(m.t), "-c", filepath.Join(m.dir, "mosquitto.conf"))
	m.cmd.Stderr = &m.log
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	eventually(m.t, 5*time.Second, "mosquitto listens", func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+m.port)
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
}

// stop ends the broker in order: it saves its sessions.
func (m *mosquitto) stop() {
	if m.cmd == nil {
		return
	}
	_ = m.cmd.Process.Signal(syscall.SIGTERM)
	if err := m.cmd.Wait(); err != nil {
		m.t.Errorf("mosquitto did not stop in order: %v: it may have lost what it had acknowledged\n%s", err, &m.log)
	}
	m.cmd = nil
}

func (m *mosquitto) url() string { return "mqtt://127.0.0.1:" + m.port }

// client runs one of mosquitto's own clients, MQTT 5, and returns what it prints.
func (m *mosquitto) client(name string, args ...string) string {
	m.t.Helper()
	out, err := exec.Command(name, append([]string{"-V", "5", "-p", m.port}, args...)...).CombinedOutput()
	if err != nil {
		m.t.Errorf("%s %v: %v: %s", name, args, err, out)
	}
	return strings.TrimRight(string(out), "\n")
}

// gatewayRig is a gateway process with its configuration and state.
type gatewayRig struct {
	t      testing.TB
	dir    string
	binary string
	cmd    *exec.Cmd
	log    *syncBuffer
	env    []string // beside that of the test
}

func newGateway(t testing.TB, broker, rest string) *gatewayRig {
	t.Helper()
	g := &gatewayRig{t: t, dir: t.TempDir(), binary: needBinary(t), log: &syncBuffer{}}
	g.configure(broker, rest)
	t.Cleanup(func() {
		g.kill()
		if t.Failed() {
			t.Logf("log of the gateway:\n%s", g.log)
		}
	})
	return g
}

// configure writes the configuration. It waits at most 2s between two attempts to connect: after
// several short connections the pause grows beyond what online waits for.
func (g *gatewayRig) configure(broker, rest string) {
	g.t.Helper()
	text := fmt.Sprintf("[gateway]\nid = \"gw\"\ntrust_clock = true\n[mqtt]\nurls = [%q]\nreconnect_max = \"2s\"\n[control]\nsocket = %q\n%s", broker, g.path("control.sock"), rest)
	if err := os.WriteFile(g.path("fieldgate.toml"), []byte(text), 0o644); err != nil {
		g.t.Fatal(err)
	}
}

// mqtt adds a line to the table of that name.
func (g *gatewayRig) mqtt(line string) {
	g.t.Helper()
	text, err := os.ReadFile(g.path("fieldgate.toml"))
	if err == nil {
		err = os.WriteFile(g.path("fieldgate.toml"), []byte(strings.Replace(string(text), "[mqtt]\n", "[mqtt]\n"+line+"\n", 1)), 0o644)
	}
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g *gatewayRig) path(name string) string { return filepath.Join(g.dir, name) }

// start runs the gateway without waiting for anything.
func (g *gatewayRig) start() {
	g.t.Helper()
	g.cmd = exec.Command(g.binary, "run", "-c", g.path("fieldgate.toml"), "--state-dir", g.dir)
	g.cmd.Stderr, g.cmd.Env = g.log, append(os.Environ(), g.env...)
	if err := g.cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
}

// running starts the gateway and waits until its control socket answers.
func (g *gatewayRig) running() {
	g.t.Helper()
	g.start()
	eventually(g.t, 10*time.Second, "the gateway answers on its control socket", func() bool { _, err := g.ask(); return err == nil })
}

func (g *gatewayRig) ask() (contract.LocalStatus, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return control.NewClient(g.path("control.sock")).Status(ctx)
}

// online waits until the gateway is connected.
func (g *gatewayRig) online() {
	g.t.Helper()
	eventually(g.t, 10*time.Second, "the gateway is online", func() bool { s, err := g.ask(); return err == nil && s.Health.Link.Connected })
}

func (g *gatewayRig) kill() {
	if g.cmd == nil {
		return
	}
	_ = g.cmd.Process.Kill()
	_ = g.cmd.Wait()
	g.cmd = nil
}

// stop ends the gateway by SIGTERM and returns its exit code.
func (g *gatewayRig) stop() int {
	g.t.Helper()
	if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		g.t.Fatal(err)
	}
	return g.wait()
}

func (g *gatewayRig) wait() int {
	g.t.Helper()
	done := make(chan error, 1)
	cmd := g.cmd
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		g.cmd = nil
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return exit.ExitCode()
		}
		if err != nil {
			g.t.Fatal(err)
		}
		return 0
	case <-time.After(20 * time.Second):
		g.t.Fatalf("the gateway does not end; log:\n%s", g.log)
		return -1
	}
}

// command runs the program with other arguments and returns what it prints and its exit code.
func (g *gatewayRig) command(args ...string) (string, int) {
	g.t.Helper()
	cmd := exec.Command(g.binary, args...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		g.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// needOther skips a test if this process may not become another user: as root without its
// capabilities.
func needOther(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	c := exec.Command("true")
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if err := c.Run(); err != nil {
		t.Skipf("becoming another user: %v", err)
	}
}

// eventually asks until what it waits for is so.
func eventually(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("after %v still not: %s", limit, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// syncBuffer keeps what a process prints.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// statusOf reads a status document.
func statusOf(t *testing.T, text string) contract.Status {
	t.Helper()
	var s contract.Status
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatalf("status %q: %v", text, err)
	}
	return s
}

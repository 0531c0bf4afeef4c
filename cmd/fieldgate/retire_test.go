package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/mqtt"
)

// retainedList returns the topics on which a broker keeps a document, one in a line.
func retainedList(m *mosquitto) string {
	m.t.Helper()
	out, _ := exec.Command("mosquitto_sub", "-V", "5", "-p", m.port, "-t", "#", "--retained-only", "-W", "1", "-F", "%t").Output() // it ends by its time
	return strings.TrimRight(string(out), "\n")
}

// TestRetire takes a gateway out of service: before that its broker has its documents, afterwards
// none; what it delivered and what it left in a file are complete.
func TestRetire(t *testing.T) {
	m := newMosquitto(t)
	g := newGateway(t, m.url(), `[homeassistant]
discovery = true
[[sensor]]
name = "wave"
driver = "sim"
every = "20ms"
[[sensor]]
name = "slow"
driver = "sim"
every = "1s"
`)
	var mu sync.Mutex
	var archive []string
	var status string
	listen(t, m.url(), func(msg *mqtt.Message) {
		mu.Lock()
		defer mu.Unlock()
		if strings.Contains(msg.Topic, "/telemetry/") || strings.Contains(msg.Topic, "/events/") {
			archive = append(archive, string(msg.Payload))
		}
		if msg.Topic == "fieldgate/gw/status" && len(msg.Payload) > 0 {
			status = string(msg.Payload)
		}
	})
	retire := func(more ...string) (string, int) {
		return g.command(append([]string{"retire", "-c", g.path("fieldgate.toml"), "--state-dir", g.dir}, more...)...)
	}
	if out, code := retire(); code != exitFailed || !strings.Contains(out, "there is no store") {
		t.Errorf("before it ever ran: %d: %s", code, out)
	}
	g.running()
	g.online()
	want := []string{"fieldgate/gw/status", "fieldgate/gw/health", "fieldgate/gw/sensors/wave", "fieldgate/gw/sensors/slow", "fieldgate/gw/last/wave", "fieldgate/gw/shadow/reported", "homeassistant/device/"}
	eventually(t, 20*time.Second, "the broker has the documents", func() bool {
		got := retainedList(m)
		for _, w := range want {
			if !strings.Contains(got, w) {
				return false
			}
		}
		return true
	})
	if out, code := retire("--empty"); code != exitFailed || !strings.Contains(out, "stop it first: sudo systemctl stop fieldgate") {
		t.Errorf("while it runs: %d: %s", code, out)
	}
	m.stop()
	eventually(t, 10*time.Second, "readings wait", func() bool {
		s, err := g.ask()
		return err == nil && !s.Health.Link.Connected && s.Health.Queue.Live+s.Health.Queue.Backlog > 100
	})
	if code := g.stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	file := filepath.Join(t.TempDir(), "waiting.jsonl")
	if out, code := retire("--export", file, "--empty"); code != exitFailed || !strings.Contains(out, "documents of this gateway are left") || !strings.Contains(out, "nothing was changed") {
		t.Errorf("without the broker: %d: %s", code, out)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("without the broker it wrote the export")
	}
	m.start()
	if out, code := retire(); code != exitFailed || !strings.Contains(out, "--export FILE writes them to a file, --empty discards them") {
		t.Errorf("with readings that wait: %d: %s", code, out)
	}
	if out, code := retire("--export", filepath.Join(file, "not", "there")); code != exitFailed || !strings.Contains(out, "nothing was changed") {
		t.Errorf("with a file that cannot be written: %d: %s", code, out)
	}
	if got := retainedList(m); !strings.Contains(got, want[1]) {
		t.Errorf("it was cleared before: %q", got)
	}
	eventually(t, 10*time.Second, "the archive listens again", func() bool {
		m.client("mosquitto_pub", "-t", "fieldgate/gw/events/probe", "-m", "{}", "-q", "1")
		mu.Lock()
		defer mu.Unlock()
		return len(archive) > 0 && archive[len(archive)-1] == "{}"
	})
	out, code := retire("--export", file)
	if code != exitDone || !strings.Contains(out, "next: sudo systemctl disable fieldgate") {
		t.Fatalf("%d: %s", code, out)
	}
	if got := retainedList(m); got != "" {
		t.Errorf("the broker still has %q", got)
	}
	if _, err := os.Stat(g.path("queue.db")); err != nil {
		t.Errorf("the store went without being asked: %v", err)
	}
	mu.Lock()
	text, said := strings.Join(archive, "\n"), status
	mu.Unlock()
	if statusOf(t, said).State != "offline" {
		t.Errorf("the farewell is %s", said)
	}
	delivered := filepath.Join(t.TempDir(), "delivered.jsonl")
	if err := os.WriteFile(delivered, []byte(text+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, code := g.command("verify", delivered, file); code != exitDone || !strings.Contains(out, "COMPLETE") {
		t.Errorf("what was delivered and what was exported: %d: %s", code, out)
	}
	if out, code := g.command("verify", delivered); code == exitDone {
		t.Errorf("without the export nothing is missing: %s", out)
	}
	if out, code := retire("--no-broker", "--export", filepath.Join(t.TempDir(), "again")); code != exitDone || strings.Contains(out, "left at the broker") {
		t.Errorf("without the broker, after it was cleared: %d: %s", code, out)
	}
	out, code = retire("--empty", "--json")
	if code != exitDone || !strings.Contains(out, "queue.db") {
		t.Errorf("again, with --empty: %d: %s", code, out)
	}
	left, err := os.ReadDir(g.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		if e.Name() != "fieldgate.toml" && e.Name() != "control.sock" {
			t.Errorf("%s is still there", e.Name())
		}
	}
	if v := retainedList(m); v != "" {
		t.Errorf("the broker has %q again", v)
	}
}

// TestRetireRefused: a topic that the broker does not let it clear is named, the store stays, and
// the next time only that is left to do.
func TestRetireRefused(t *testing.T) {
	acl := filepath.Join(t.TempDir(), "acl")
	write := func(text string) {
		if err := os.WriteFile(acl, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("topic readwrite #\n")
	m := newMosquitto(t, "allow_anonymous true", "acl_file "+acl)
	g := newGateway(t, m.url(), "[[sensor]]\nname = \"wave\"\ndriver = \"sim\"\nevery = \"100ms\"\n")
	g.running()
	g.online()
	eventually(t, 10*time.Second, "the broker has the documents", func() bool { return strings.Contains(retainedList(m), "/health") })
	if code := g.stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	m.stop()
	write("topic read #\ntopic write fieldgate/gw/status\ntopic write fieldgate/gw/events/#\ntopic write fieldgate/gw/last/#\ntopic write fieldgate/gw/sensors/#\ntopic write fieldgate/gw/shadow/#\n")
	m.start()
	if out, code := g.command("retire", "--no-broker", "--export", filepath.Join(t.TempDir(), "waiting"), "-c", g.path("fieldgate.toml"), "--state-dir", g.dir); code != exitDone || !strings.Contains(out, "left at the broker as --no-broker wants it: 5 documents") {
		t.Errorf("--no-broker: %d: %s", code, out)
	}
	retire := func() (string, int) {
		return g.command("retire", "-c", g.path("fieldgate.toml"), "--state-dir", g.dir, "--empty")
	}
	out, code := retire()
	if code != exitFailed || !strings.Contains(out, "not cleared: fieldgate/gw/health") || !strings.Contains(out, "1 document at the broker could not be cleared") {
		t.Errorf("%d: %s", code, out)
	}
	if _, err := os.Stat(g.path("queue.db")); err != nil {
		t.Error("the store went although a document is left")
	}
	m.stop()
	write("topic readwrite #\n")
	m.start()
	if out, code := retire(); code != exitDone || !strings.Contains(out, "1 document cleared") {
		t.Errorf("the second time: %d: %s", code, out)
	}
	if got := retainedList(m); got != "" {
		t.Errorf("the broker still has %q", got)
	}
}

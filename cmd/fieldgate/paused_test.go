package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/mqtt"
)

// receiver writes down what arrives, for verify, and counts readings.
type receiver struct {
	mu    sync.Mutex
	lines []string
	seen  map[string]map[uint64]bool // sequence numbers of a backlog, by sensor
	last  map[string]uint64
	wrong []string // out of order
}

func (c *receiver) take(msg *mqtt.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, fmt.Sprintf(`{"topic":%q,"payload":%q}`, msg.Topic, msg.Payload))
	var b struct {
		Sensor   string
		Readings []struct{ Seq uint64 }
	}
	if !strings.HasSuffix(msg.Topic, "/late") || json.Unmarshal(msg.Payload, &b) != nil {
		return
	}
	if c.seen[b.Sensor] == nil {
		c.seen[b.Sensor] = map[uint64]bool{}
	}
	for _, r := range b.Readings {
		if !c.seen[b.Sensor][r.Seq] && r.Seq < c.last[b.Sensor] {
			c.wrong = append(c.wrong, fmt.Sprintf("%s: %d after %d", b.Sensor, r.Seq, c.last[b.Sensor]))
		}
		c.seen[b.Sensor][r.Seq], c.last[b.Sensor] = true, r.Seq
	}
}

func (c *receiver) count(sensor string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.seen[sensor])
}

// TestRefusedTelemetryStopsNoOther: mosquitto refuses P/telemetry/a and P/telemetry/a/late (PUBACK
// 0x87). The backlog of b arrives in the time that it takes if a has none; when the ACL is repaired
// a's arrives, in its order, and verify finds nothing missing.
func TestRefusedTelemetryStopsNoOther(t *testing.T) {
	const each = 20000
	acl := filepath.Join(t.TempDir(), "acl")
	permit := func(deny string) {
		t.Helper()
		if err := os.WriteFile(acl, []byte("topic readwrite fieldgate/#\n"+deny), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	drain := func(deny string, sensors ...string) (m *mosquitto, g *gatewayRig, c *receiver, took time.Duration) {
		permit(deny)
		m = newMosquitto(t, "allow_anonymous true", "acl_file "+acl, "log_type all")
		g = newGateway(t, m.url(), waveSensor)
		g.fill(each, sensors...)
		c = &receiver{seen: map[string]map[uint64]bool{}, last: map[string]uint64{}}
		listen(t, m.url(), c.take)
		begin := time.Now()
		g.running()
		eventually(t, 60*time.Second, "the backlog of b arrives", func() bool { return c.count("b") == each })
		return m, g, c, time.Since(begin)
	}
	_, g, _, alone := drain("", "b")
	g.stop()
	m, g, c, took := drain("topic deny fieldgate/gw/telemetry/a\ntopic deny fieldgate/gw/telemetry/a/late\n", "a", "b")
	t.Logf("%d readings of b alone in %v, beside a refused a in %v", each, alone.Round(time.Millisecond), took.Round(time.Millisecond))
	if took > 3*alone+3*time.Second {
		t.Errorf("b took %v beside a refused a, %v without", took, alone)
	}
	if n := c.count("a"); n != 0 {
		t.Fatalf("%d readings of a arrived: the access list does not work", n)
	}
	s, err := g.ask()
	if reasons := strings.Join(s.Health.Reasons, "\n"); err != nil || s.Health.State != "degraded" || !strings.Contains(reasons, "fieldgate/gw/telemetry/a/late") || s.Health.Queue.Refused != 0 {
		t.Errorf("%v %s %q, %d dead letters", err, s.Health.State, reasons, s.Health.Queue.Refused)
	}
	t.Logf("resident: %s", resident(t, g.cmd.Process.Pid))

	if strings.Contains(g.log.String(), "msg=disconnected") {
		t.Error("a refused topic ended the connection")
	}
	permit("")
	if err := m.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, 60*time.Second, "the backlog of a arrives", func() bool { return c.count("a") == each })
	eventually(t, 30*time.Second, "nothing waits", func() bool {
		s, err := g.ask()
		return err == nil && s.Health.Queue.Backlog == 0 && s.Health.State == "ok"
	})
	if code := g.stop(); code != exitDone {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.wrong) > 0 {
		t.Errorf("out of order: %s", c.wrong[0])
	}
	file := g.path("messages.jsonl")
	if err := os.WriteFile(file, []byte(strings.Join(c.lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, code := g.command("verify", file); code != exitDone || !strings.Contains(text, "\nCOMPLETE: ") {
		t.Errorf("verify: exit code %d\n%s", code, text)
	}
}

// resident returns what a process has in RAM, and had at most.
func resident(t *testing.T, pid int) string {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmRSS") || strings.HasPrefix(line, "VmHWM") {
			out = append(out, strings.Join(strings.Fields(line), " "))
		}
	}
	return strings.Join(out, ", ")
}

package main

import (
	"bufio"
	"encoding/json"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/internal/contract"
)

// subscribed subscribes to topics and keeps what comes, a line "topic payload" each.
func subscribed(t *testing.T, m *mosquitto, topics ...string) *lineBuffer {
	t.Helper()
	args := []string{"-V", "5", "-p", m.port, "-q", "1", "-F", "%t %p", "-t", "ready"}
	for _, topic := range topics {
		args = append(args, "-t", topic)
	}
	m.client("mosquitto_pub", "-r", "-t", "ready", "-m", "1")
	cmd := exec.Command("mosquitto_sub", args...)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	b := &lineBuffer{}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			b.add(lines.Text())
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
		_ = cmd.Wait()
	})
	eventually(t, 5*time.Second, "the subscriber is there", func() bool { return len(b.lines("ready ")) > 0 })
	return b
}

type lineBuffer struct {
	mu   sync.Mutex
	list []string
}

func (b *lineBuffer) add(s string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = append(b.list, s)
}

// lines returns those that begin with a prefix, without it.
func (b *lineBuffer) lines(prefix string) (out []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.list {
		if rest, ok := strings.CutPrefix(l, prefix); ok {
			out = append(out, rest)
		}
	}
	return out
}

// TestGatewayTakenDownForGoodLeavesNoHoleUnexplained: nobody has subscribed to the readings. The
// ranges are published before "offline", since there may be no next start that does it.
func TestGatewayTakenDownForGoodLeavesNoHoleUnexplained(t *testing.T) {
	m := newMosquitto(t)
	heard := subscribed(t, m, "fieldgate/gw/events/#", "fieldgate/gw/status")
	g := newGateway(t, m.url(), "[[sensor]]\nname = \"fast\"\ndriver = \"sim\"\nevery = \"50ms\"\n")
	g.running()
	eventually(t, 10*time.Second, "readings go to nobody", func() bool { s, err := g.ask(); return err == nil && s.Health.Queue.Unrouted > 20 })
	if code := g.stop(); code != exitDone {
		t.Fatalf("exit code %d after SIGTERM", code)
	}
	eventually(t, 5*time.Second, "offline is published", func() bool {
		l := heard.lines("fieldgate/gw/status ")
		return len(l) > 0 && statusOf(t, l[len(l)-1]).State == contract.Offline
	})
	told, last := uint64(0), uint64(0)
	for _, text := range heard.lines("fieldgate/gw/events/loss ") {
		var e contract.LossEvent
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatal(err)
		}
		for _, l := range e.Loss {
			told += l.Count
			last = max(last, l.Last)
		}
	}
	if told < 20 || told != last {
		t.Errorf("%d readings up to number %d are told", told, last)
	}
	all := heard.lines("fieldgate/gw/")
	if n := len(all); n == 0 || !strings.HasPrefix(all[n-1], "status ") {
		t.Errorf("offline was not the last word: %q", all)
	}
}

// TestTwoOfOneName: two gateways of one id at one broker. Each says so, with the other's store, and
// attempts are slow.
func TestTwoOfOneName(t *testing.T) {
	m := newMosquitto(t, "allow_anonymous true", "log_type all")
	a, b := newGateway(t, m.url(), waveSensor), newGateway(t, m.url(), waveSensor)
	a.running()
	b.running()
	begin := time.Now()
	for _, g := range []*gatewayRig{a, b} {
		eventually(t, 90*time.Second, "status names the other gateway", func() bool {
			s, err := g.ask()
			return err == nil && s.Health.State == "degraded" && strings.Contains(strings.Join(s.Health.Reasons, "\n"), `another gateway (`) &&
				strings.Contains(strings.Join(s.Health.Reasons, "\n"), `uses the id "gw", and each pushes the other off the broker: set gateway.id`)
		})
	}
	connects := strings.Count(m.log.String(), "New client connected")
	if most := 12 + int(time.Since(begin)/(4*time.Second)); connects > most {
		t.Errorf("%d connections in %v", connects, time.Since(begin).Round(time.Second))
	}
}

package main

import (
	"bufio"
	"encoding/json"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/internal/contract"
)

const waveSensor = "[[sensor]]\nname = \"wave\"\ndriver = \"sim\"\nevery = \"100ms\"\n"

// subscriber is mosquitto_sub: a plain MQTT 5 client that knows nothing of fieldgate.
type subscriber struct {
	mu    sync.Mutex
	lines []string // topic, space, payload
}

func subscribe(t *testing.T, m *mosquitto, filter string) *subscriber {
	t.Helper()
	// seen when the subscription is in force
	m.client("mosquitto_pub", "-r", "-t", "ready", "-m", "1")
	cmd := exec.Command("mosquitto_sub", "-V", "5", "-p", m.port, "-q", "1", "-t", filter, "-t", "ready", "-v")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	s := &subscriber{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		in := bufio.NewScanner(out)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			s.mu.Lock()
			s.lines = append(s.lines, in.Text())
			s.mu.Unlock()
		}
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-done; _ = cmd.Wait() })
	eventually(t, 5*time.Second, "the subscriber is there", func() bool { return s.newest("ready") != "" })
	return s
}

// newest returns the newest payload on a topic.
func (s *subscriber) newest(topic string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.lines) - 1; i >= 0; i-- {
		if payload, ok := strings.CutPrefix(s.lines[i], topic+" "); ok {
			return payload
		}
	}
	return ""
}

// count returns how many messages on a topic contain part.
func (s *subscriber) count(topic, part string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lines {
		if payload, ok := strings.CutPrefix(l, topic+" "); ok && strings.Contains(payload, part) {
			n++
		}
	}
	return n
}

// TestPlainClientFollowsTheGateway is the contract as a stranger with mosquitto's own clients sees
// it.
func TestPlainClientFollowsTheGateway(t *testing.T) {
	m := newMosquitto(t)
	g := newGateway(t, m.url(), waveSensor)
	s := subscribe(t, m, "fieldgate/gw/#")
	state := func(want string) {
		t.Helper()
		eventually(t, 10*time.Second, "status "+want, func() bool {
			text := s.newest("fieldgate/gw/status")
			return text != "" && statusOf(t, text).State == want
		})
	}
	reported := func() (r contract.Reported) {
		t.Helper()
		if text := s.newest("fieldgate/gw/shadow/reported"); text != "" {
			if err := json.Unmarshal([]byte(text), &r); err != nil {
				t.Fatal(err)
			}
		}
		return r
	}
	every := func(want string, version uint64) {
		t.Helper()
		eventually(t, 10*time.Second, "wave reports every "+want, func() bool {
			r := reported()
			return r.State.Sensors["wave"].Every == want && r.DesiredVersion == version
		})
	}

	g.running()
	state("online")
	eventually(t, 5*time.Second, "telemetry arrives", func() bool { return s.newest("fieldgate/gw/telemetry/wave") != "" })

	// A request with Response Topic and Correlation Data.
	got := m.client("mosquitto_rr", "-t", "fieldgate/gw/cmd/ping", "-e", "my/answers", "-m", `{"id":"p1"}`, "-D", "PUBLISH", "correlation-data", "c-17", "-W", "5", "-F", "%t %D %p")
	topic, rest, _ := strings.Cut(got, " ")
	correlation, text, _ := strings.Cut(rest, " ")
	var reply contract.Reply
	if err := json.Unmarshal([]byte(text), &reply); err != nil || topic != "my/answers" || correlation != "c-17" || reply.State != contract.Succeeded || reply.ID != "p1" {
		t.Errorf("reply to ping: %q: %v", got, err)
	}

	// The shadow, while the gateway runs and while it is down.
	desired := func(text string) {
		m.client("mosquitto_pub", "-q", "1", "-r", "-t", "fieldgate/gw/shadow/desired", "-m", text)
	}
	desired(`{"version":1,"state":{"sensors":{"wave":{"every":"250ms"}}}}`)
	every("250ms", 1)
	g.kill()
	state("lost")
	desired(`{"version":2,"state":{"sensors":{"wave":{"every":"150ms"}}}}`)
	g.running()
	state("online")
	every("150ms", 2)
	if shown := m.client("mosquitto_sub", "-t", "fieldgate/gw/shadow/reported", "-C", "1", "-W", "5"); !strings.Contains(shown, `"every":"150ms"`) {
		t.Errorf("the retained shadow: %s", shown)
	}

	// Something older overwrites the status: the gateway publishes it again.
	m.client("mosquitto_pub", "-q", "1", "-r", "-t", "fieldgate/gw/status", "-m", `{"v":1,"state":"lost","since":null,"store":"00000000","boot":1,"version":"x"}`)
	eventually(t, 5*time.Second, "the false status is seen", func() bool { return s.count("fieldgate/gw/status", `"store":"00000000"`) == 1 })
	state("online")

	if code := g.stop(); code != exitDone {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	state("offline")
	// after all that the gateway has sent
	m.client("mosquitto_pub", "-q", "1", "-t", "fieldgate/gw/end", "-m", "1")
	eventually(t, 5*time.Second, "the last message", func() bool { return s.newest("fieldgate/gw/end") != "" })
	if text := s.newest("fieldgate/gw/status"); statusOf(t, text).State != contract.Offline {
		t.Errorf("the good-bye was overwritten: %s", text)
	}
}

// TestRestartCommandStartsTheProgramAgain: at most once, answered, and the status never says
// anything but online.
func TestRestartCommandStartsTheProgramAgain(t *testing.T) {
	m := newMosquitto(t)
	g := newGateway(t, m.url(), waveSensor+"[commands]\nallow = [\"restart\"]\n")
	g.running()
	g.online()
	before, err := g.ask()
	if err != nil {
		t.Fatal(err)
	}
	s := subscribe(t, m, "#")
	command := func() { m.client("mosquitto_pub", "-q", "1", "-t", "fieldgate/gw/cmd/restart", "-m", `{"id":"r1"}`) }
	command()
	eventually(t, 10*time.Second, "the gateway runs as the next boot", func() bool {
		now, err := g.ask()
		return err == nil && now.Health.Boot == before.Health.Boot+1 && now.Health.Link.Connected
	})
	eventually(t, 5*time.Second, "a reply", func() bool { return s.newest("fieldgate/gw/reply/restart") != "" })
	command()
	eventually(t, 5*time.Second, "the recorded reply again", func() bool { return s.count("fieldgate/gw/reply/restart", "succeeded") == 2 })
	if now, err := g.ask(); err != nil || now.Health.Boot != before.Health.Boot+1 || now.PID != before.PID {
		t.Errorf("after a repeat: boot %d of process %d (%v), want boot %d of process %d", now.Health.Boot, now.PID, err, before.Health.Boot+1, before.PID)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lines {
		if text, ok := strings.CutPrefix(l, "fieldgate/gw/status "); ok && statusOf(t, text).State != contract.Online {
			t.Errorf("status during the restart: %s", text)
		}
	}
}

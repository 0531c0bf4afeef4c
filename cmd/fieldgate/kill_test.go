package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/verify"
	"github.com/fieldgate/fieldgate/mqtt"
)

// witness is a separate subscriber with a persistent session: what it was sent while it or the
// broker was away comes later.
type witness struct {
	mu      sync.Mutex
	tracker *verify.Tracker
	clean   map[string]bool // runs whose clean end was reported
	failed  error
}

func newWitness(t *testing.T, broker string) *witness {
	t.Helper()
	w := &witness{tracker: verify.New(), clean: map[string]bool{}}
	listen(t, broker, func(m *mqtt.Message) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if err := w.tracker.Message(m.Topic, m.Payload); err != nil {
			w.failed = err
		}
		if !strings.HasSuffix(m.Topic, "/events/"+contract.EventBoot) {
			return
		}
		var e contract.BootEvent
		if err := json.Unmarshal(m.Payload, &e); err != nil {
			w.failed = err
		} else if e.Previous != nil && e.Previous.End == contract.EndClean {
			w.clean[e.Previous.Run] = true
		}
	})
	return w
}

// TestKillsOfTheGatewayAndStopsOfTheBroker kills the gateway and stops the broker again and again
// while a sensor makes 500 readings a second in strict mode (max_loss = "0s"): the witness must
// miss nothing. Rounds are 5 of each; FIELDGATE_KILLS sets another number, 20 in the full run,
// which takes about two minutes.
func TestKillsOfTheGatewayAndStopsOfTheBroker(t *testing.T) {
	rounds := 5
	if text := os.Getenv("FIELDGATE_KILLS"); text != "" {
		if _, err := fmt.Sscan(text, &rounds); err != nil {
			t.Fatalf("FIELDGATE_KILLS: %v", err)
		}
	}
	m := newMosquitto(t)
	w := newWitness(t, m.url())
	g := newGateway(t, m.url(), "[buffer]\nmax_loss = \"0s\"\n[[sensor]]\nname = \"fast\"\ndriver = \"sim\"\nevery = \"2ms\"\n[[sensor]]\nname = \"slow\"\ndriver = \"sim\"\nevery = \"50ms\"\n")
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	t.Logf("%d kills and %d stops", rounds, rounds)
	pause := func(from, to time.Duration) { time.Sleep(from + rand.N(to-from)) }

	actions := append(make([]bool, rounds), make([]bool, rounds)...)
	for i := range rounds {
		actions[i] = true
	}
	rng.Shuffle(len(actions), func(i, j int) { actions[i], actions[j] = actions[j], actions[i] })
	g.start()
	for _, kill := range actions {
		pause(time.Second, 4*time.Second)
		if kill {
			g.kill()
			g.start()
			continue
		}
		m.stop()
		pause(200*time.Millisecond, time.Second)
		m.start()
	}

	// An orderly end, and the boot event of the next start, which has the last seq of every sensor.
	g.online()
	last, err := g.ask()
	if err != nil {
		t.Fatal(err)
	}
	if code := g.stop(); code != exitDone {
		t.Fatalf("exit code %d", code)
	}
	g.configure(m.url(), "[buffer]\nmax_loss = \"0s\"\n[[sensor]]\nname = \"fast\"\ndriver = \"sim\"\nevery = \"2ms\"\nenabled = false\n")
	g.running()
	eventually(t, 60*time.Second, "everything is delivered", func() bool {
		s, err := g.ask()
		w.mu.Lock()
		defer w.mu.Unlock()
		return err == nil && s.Health.Queue.Backlog+s.Health.Queue.Live+s.Health.Queue.Events == 0 && w.clean[last.Health.Run]
	})

	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed != nil {
		t.Error(w.failed)
	}
	var received, again uint64
	runs := map[string]bool{}
	for _, r := range w.tracker.Results() {
		received += r.Received
		again += r.Duplicates
		runs[r.Run] = true
		if r.End == "" { // the run that now goes on makes no readings
			t.Errorf("run %s, sensor %s: nobody reports how it ended", r.Run, r.Sensor)
		}
		if len(r.Missing) > 0 || r.Lost > 0 || r.Disorder > 0 {
			t.Errorf("run %s (%s), sensor %s, last %d: missing %v, in the ledger %d, out of order %d", r.Run, r.End, r.Sensor, r.Last, r.Missing, r.Lost, r.Disorder)
		}
	}
	t.Logf("%d readings of %d runs arrived, none missing, none out of order; %d arrived twice", received, len(runs), again)
	if received == 0 || len(runs) < rounds {
		t.Errorf("only %d readings of %d runs: the test did not do its work", received, len(runs))
	}
}

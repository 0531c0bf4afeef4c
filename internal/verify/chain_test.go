package verify_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/event"
	payloadjson "github.com/fieldgate/fieldgate/internal/payload/json"
	"github.com/fieldgate/fieldgate/internal/reading"
	"github.com/fieldgate/fieldgate/internal/uplink"
	"github.com/fieldgate/fieldgate/internal/verify"
)

var histories = flag.Int("verify.histories", 40, "random histories of the chain test")

// noon is the time of every reading's power-up.
var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

type wall struct{}

func (wall) Time(_ string, up time.Duration) (time.Time, bool) { return noon.Add(up), true }
func (wall) Pending() bool                                     { return false }

// A world is gateways with their cards, and a receiver that gets all that is delivered.
type world struct {
	t       *testing.T
	rng     *rand.Rand
	dir     string
	cards   []*card
	made    int          // paths, gateways and the like
	up      atomic.Int64 // nanoseconds; stores read it in goroutines of their own
	tracker *verify.Tracker
	taken   map[string]map[string]uint64 // by run and sensor: the last number that was given

	mu       sync.Mutex
	heard    map[string]bool                       // runs of which a message arrived
	received map[string]map[string]map[uint64]bool // by run and sensor
	budget   int                                   // messages until the link breaks

	ended map[string]bool // runs whose end was reported
	// runs that went on after an image was taken which was put back later
	unknowable map[string]bool

	sound bool // nothing of that is to happen
	torn  bool // a store was lost, or an older copy put back
	steps []string
}

// A card is in one gateway at a time.
type card struct {
	path, machine, gateway string
	store                  *buffer.Store
	backup                 string
	// the run that the backup is an image of, which went on; empty: the gateway had stopped
	during string
}

func (w *world) now() time.Duration { return time.Hour + time.Duration(w.up.Load()) }

func (w *world) name(kind string) string {
	w.made++
	return fmt.Sprint(kind, w.made)
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%v after %s", err, strings.Join(w.steps, " "))
	}
}

// copyFiles copies what a store has on the disk, as a card image has it.
func (w *world) copyFiles(from string) (to string) {
	to = filepath.Join(w.dir, w.name("card"))
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(from + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		w.check(err)
		w.check(os.WriteFile(to+suffix, b, 0o600))
	}
	return to
}

func (w *world) start(c *card) {
	var err error
	c.store, err = buffer.Open(w.t.Context(), c.path, buffer.Options{MaxBytes: 2 << 20, Machine: c.machine, Gateway: c.gateway,
		KernelBoot: w.name("kernel"), Up: w.now,
		First: func(p buffer.Previous, store string, boot uint32) (string, []byte) {
			body, err := event.Boot(p, store, boot, "t", 0)
			if err != nil {
				panic(err)
			}
			return event.Events, body
		}})
	w.check(err)
	w.taken[c.store.Run()] = map[string]uint64{}
	w.steps = append(w.steps, "("+c.store.Run()+")")
}

func (w *world) journal(c *card) *event.Journal {
	return event.NewJournal(event.Config{Store: c.store, Up: w.now, Log: slog.New(slog.DiscardHandler)})
}

func (w *world) measure(c *card) {
	for range 1 + w.rng.IntN(4) {
		w.up.Add(int64(time.Second))
		sensor := string(rune('a' + w.rng.IntN(2)))
		seq, err := c.store.Append(w.t.Context(), buffer.Readings, sensor, w.now(), reading.Append(nil, []drivers.Value{drivers.Int("x", 1)}))
		w.check(err)
		w.taken[c.store.Run()][sensor] = seq
	}
}

// Withdraw implements uplink.Client: nothing waits.
func (w *world) Withdraw(int) {}

// Send implements uplink.Client: it is the broker and the receiver.
func (w *world) Send(m uplink.Message, done func(code byte, err error)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.budget == 0 {
		return uplink.ErrEnded
	}
	w.budget--
	if err := w.tracker.Message(m.Topic, m.Payload); err != nil {
		w.t.Errorf("%s: %v", m.Topic, err)
	}
	var d contract.Telemetry
	var e contract.BootEvent
	if err := json.Unmarshal(m.Payload, &e); err == nil && e.Previous != nil {
		w.ended[e.Previous.Run] = true
	}
	if err := json.Unmarshal(m.Payload, &d); err == nil && d.Run != "" && !m.Retain {
		w.heard[d.Run] = true
		for _, r := range d.Readings {
			if w.received[d.Run] == nil {
				w.received[d.Run] = map[string]map[uint64]bool{}
			}
			if w.received[d.Run][d.Sensor] == nil {
				w.received[d.Run][d.Sensor] = map[uint64]bool{}
			}
			w.received[d.Run][d.Sensor][r.Seq] = true
		}
	}
	if w.rng.IntN(20) == 0 && w.budget < 1000 { // its PUBACK is lost
		w.budget = 0
		done(0, uplink.ErrEnded)
		return nil
	}
	done(0, nil)
	return nil
}

// deliver connects a gateway until everything was sent, or until the link breaks after some
// messages.
func (w *world) deliver(c *card, messages int) {
	w.budget = messages
	status, err := json.Marshal(contract.Status{V: contract.Version, State: contract.Online, Run: c.store.Run()})
	w.check(err)
	w.check(w.tracker.Message("fieldgate/"+c.gateway+"/status", status))
	w.heard[c.store.Run()] = true
	encoder := new(payloadjson.Encoder)
	u := uplink.New(uplink.Config{
		Gateway: c.gateway, Topics: contract.NewTopics("fieldgate", c.gateway), Encoder: encoder, JSON: encoder, BatchMax: 3,
		Last: func(string) bool { return false }, Alarm: func(contract.AlarmEvent) {}, Queue: c.store, Client: w, Clock: wall{}, Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan error)
	go func() { ended <- u.Run(ctx) }()
	u.SetLink(uplink.Link{Up: true, Window: 10})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		w.mu.Lock()
		broken := w.budget == 0
		w.mu.Unlock()
		if s := c.store.Stats(); broken || s.Live+s.Backlog+s.Events == 0 {
			break
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("not delivered: %+v after %s", c.store.Stats(), strings.Join(w.steps, " "))
		}
	}
	cancel()
	w.check(<-ended)
	u.Settle(w.t.Context())
}

func (w *world) stop(c *card) {
	w.check(w.journal(c).Losses(w.t.Context()))
	w.check(c.store.Close(w.t.Context()))
	c.store = nil
}

// crash leaves what is on the disk.
func (w *world) crash(c *card) {
	path := w.copyFiles(c.path)
	w.check(c.store.Close(w.t.Context()))
	c.store, c.path = nil, path
}

// step lets one thing happen to one card.
func (w *world) step() {
	i := w.rng.IntN(len(w.cards))
	c := w.cards[i]
	say := func(what string) { w.steps = append(w.steps, fmt.Sprint(what, i)) }
	if c.store != nil {
		switch w.rng.IntN(10) {
		case 0, 1, 2, 3, 4:
			say("measure")
			w.measure(c)
		case 5:
			say("deliver")
			w.deliver(c, 1_000_000)
		case 6:
			say("deliver-some")
			w.deliver(c, 1+w.rng.IntN(4))
		case 7:
			say("stop")
			w.stop(c)
		case 8:
			say("crash")
			w.crash(c)
		case 9:
			if c.backup == "" {
				say("image") // of a card in use
				c.backup, c.during = w.copyFiles(c.path), c.store.Run()
			}
		}
		return
	}
	n := w.rng.IntN(14)
	if w.sound && n <= 2 {
		n = 14
	}
	switch n {
	case 0:
		say("lose")
		w.torn = true
		c.path = filepath.Join(w.dir, w.name("card"))
	case 1, 2:
		if c.backup != "" {
			say("put-back")
			w.torn = true
			c.path = w.copyFiles(c.backup)
			w.unknowable[c.during] = true
		}
	case 3:
		if _, err := os.Stat(c.path); err == nil && len(w.cards) < 4 {
			say("clone")
			w.cards = append(w.cards, &card{path: w.copyFiles(c.path), machine: w.name("machine"), gateway: w.name("gw")})
		}
	case 4:
		say("rename")
		c.gateway = w.name("gw")
	case 5:
		say("copy")
		c.backup, c.during = w.copyFiles(c.path), ""
	case 6:
		say("start-and-crash")
		w.start(c)
		w.crash(c)
	default:
		say("start")
		w.start(c)
	}
}

// holes counts the readings of runs that were heard which did not arrive.
func (w *world) holes() (n uint64) {
	for run, sensors := range w.taken {
		if !w.heard[run] || w.unknowable[run] {
			continue // nobody can know what it took after the image, or of it at all
		}
		for sensor, last := range sensors {
			if !w.ended[run] {
				// the end of the newest run of a gateway is not known yet: it has what is below its
				// highest number
				last = 0
				for seq := range w.received[run][sensor] {
					last = max(last, seq)
				}
			}
			for seq := uint64(1); seq <= last; seq++ {
				if !w.received[run][sensor][seq] {
					n++
					w.steps = append(w.steps, fmt.Sprint("\nmissing ", run, " ", sensor, " ", seq, " of ", last))
				}
			}
		}
	}
	return n
}

// TestChainOfRuns lets starts, crashes, copies put back, lost stores, cloned cards and renamed
// gateways happen in random order, with real stores. The verdict is never COMPLETE over a hole, and
// never INCOMPLETE over a history without loss.
func TestChainOfRuns(t *testing.T) {
	n := *histories
	if testing.Short() {
		n = 10
	}
	clean, torn, holes := 0, 0, 0
	for seed := range uint64(n) {
		w := &world{t: t, sound: seed%2 == 0, rng: rand.New(rand.NewPCG(seed, 7)), dir: t.TempDir(), tracker: verify.New(),
			taken: map[string]map[string]uint64{}, heard: map[string]bool{}, received: map[string]map[string]map[uint64]bool{}, unknowable: map[string]bool{}, ended: map[string]bool{}}
		w.cards = []*card{{path: filepath.Join(w.dir, "card"), machine: "m", gateway: "gw"}}
		for range 40 {
			w.step()
		}
		// the end: everything that is left is delivered, and each last end is reported
		for _, c := range w.cards {
			for range 2 {
				if c.store == nil {
					w.start(c)
				}
				w.deliver(c, 1_000_000)
				w.stop(c)
			}
			w.start(c)
			w.deliver(c, 1_000_000)
			w.stop(c)
		}
		r := w.tracker.Report()
		missing := w.holes()
		var text strings.Builder
		_ = r.Print(&text)
		history := fmt.Sprintf("seed %d: %s\n%s", seed, strings.Join(w.steps, " "), text.String())
		if missing > 0 && r.Verdict == verify.Complete {
			t.Errorf("COMPLETE over %d readings that are missing; %s", missing, history)
		}
		if !w.torn && (missing > 0 || r.Verdict != verify.Complete) {
			t.Errorf("%s over a clean history, %d missing; %s", r.Verdict, missing, history)
		}
		for _, s := range r.Sequences {
			if s.Reused > 0 {
				t.Errorf("a number was given twice; %s", history)
			}
		}
		if missing > 0 {
			holes++
		}
		if w.torn {
			torn++
		} else {
			clean++
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d clean histories, %d with lost stores or copies put back, %d of them with holes", clean, torn, holes)
	if !testing.Short() && (clean < n/3 || torn < n/3 || holes == 0) {
		t.Error("the histories are not what they should be")
	}
}

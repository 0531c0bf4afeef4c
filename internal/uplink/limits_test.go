package uplink

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/reading"
)

// TestUnannouncedLimitIsLearnedOnceAndKept: the batches of a backlog fit after a few messages, also
// after a restart of the program, and a limit that was raised is found.
func TestUnannouncedLimitIsLearnedOnceAndKept(t *testing.T) {
	for _, tt := range []struct {
		name string
		code byte
		err  error
		cost int // messages that did not pass, at most
	}{{"packet too large", codeTooLarge, nil, 6}, {"the broker closes", 0, ErrRejectedByDisconnect, 6}, {"DISCONNECT with packet too large", 0, ErrTooLarge, 6}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, func(c *Config) { c.BatchMax = 1000 })
				n := &narrow{limit: 3000, code: tt.code, err: tt.err}
				link := Link{Up: true, Window: 20, Broker: "mqtt://b:1883"}
				r.measure("a", 300)
				r.measure("b", 300)
				r.uplink.SetLink(link)
				n.serve(r)
				if s := r.store.Stats(); r.uplink.Stats().Delivered != 600 || s.Dead != 0 || n.refused > tt.cost {
					t.Fatalf("delivered %d, %d dead letters, %d refused", r.uplink.Stats().Delivered, s.Dead, n.refused)
				}
				if list := r.uplink.Refusals(); len(list) != 0 {
					t.Errorf("refusals: %+v", list)
				}

				r.again(func(c *Config) { c.BatchMax = 1000 })
				n.refused = 0
				r.measure("a", 300)
				r.uplink.SetLink(link)
				if largest := n.serve(r); n.refused != 0 || largest < n.limit/3 {
					t.Errorf("after a restart: %d refused, largest %d", n.refused, largest)
				}

				n.limit = 6000
				largest := 0
				for range 26 {
					r.uplink.SetLink(Link{})
					synctest.Wait()
					r.measure("a", 150)
					r.uplink.SetLink(link)
					largest = max(largest, n.serve(r))
					time.Sleep(time.Hour)
				}
				if largest < n.limit/3 || n.refused > 3 {
					t.Errorf("raised to %d: largest %d, %d refused", n.limit, largest, n.refused)
				}
				r.close()
			})
		})
	}
}

// TestClosingAtATopicIsToldFromClosingAtASize: one reading alone is sent before a batch is sent
// again.
func TestClosingAtATopicIsToldFromClosingAtASize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.measure("a", 90)
		r.measure("b", 90)
		r.uplink.SetLink(Link{Up: true, Window: 20})
		var tried []string
		for range 60 {
			for flights := r.settled(); len(flights) > 0; flights = r.settled() {
				for _, f := range flights {
					if strings.Contains(f.Topic, "telemetry/a") {
						tried = append(tried, show([]flight{f}))
						f.done(0, ErrRejectedByDisconnect)
					} else {
						f.done(0, nil)
					}
				}
			}
			time.Sleep(time.Minute)
		}
		if got := strings.Join(tried[:2], ", "); !strings.HasPrefix(got, "telemetry/a/late 1-") || !strings.HasSuffix(got, ", telemetry/a/late 1-1") {
			t.Errorf("tried %q", got)
		}
		if n := len(tried); n < 4 || n > 9 {
			t.Errorf("%d attempts in an hour, each costs two connections", n)
		}
		if s := r.uplink.Stats(); s.Delivered != 90 || r.uplink.room(Link{}) != 0 || r.store.Stats().Dead != 0 {
			t.Errorf("delivered %d, room %d", s.Delivered, r.uplink.room(Link{}))
		}
		if list := r.uplink.Refusals(); len(list) != 1 || !strings.Contains(list[0].Why, "closes the connection at each message to fieldgate/g/telemetry/a/late") {
			t.Errorf("refusals: %+v", list)
		}
		r.close()
	})
}

// TestSearchForASizeIsReported: what failed, what is tried and what to do are known until a message
// of about the size that is tried has passed.
func TestSearchForASizeIsReported(t *testing.T) {
	for _, tt := range []struct {
		name string
		code byte
		err  error
	}{{"the broker closes", 0, ErrRejectedByDisconnect}, {"packet too large", codeTooLarge, nil}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, func(c *Config) { c.BatchMax = 1000 })
				r.measure("a", 100)
				r.uplink.SetLink(Link{Up: true, Window: 20, Broker: "mqtt://b:1883"})
				flights := r.settled()
				size := flights[0].size()
				flights[0].done(tt.code, tt.err)
				flights = r.settled()
				want := fmt.Sprintf("did not accept a message of %d bytes and announced no limit: the gateway tries at most %d; set mqtt.message_max", size, size/2)
				if got := strings.Join(r.uplink.Trouble(), "\n"); !strings.Contains(got, want) {
					t.Errorf("want %q, got %q", want, got)
				}
				for ; len(flights) > 0; flights = r.settled() {
					ack(flights, 0)
				}
				if got := r.uplink.Trouble(); got != nil || r.uplink.Stats().Delivered != 100 {
					t.Errorf("delivered %d, still %q", r.uplink.Stats().Delivered, got)
				}
				r.close()
			})
		})
	}
}

// TestRefusedDocumentsPauseAndAreNamed: documents at which the broker closes, which it refuses or
// which are too large. Of a family one at a time is tried; telemetry flows.
func TestRefusedDocumentsPauseAndAreNamed(t *testing.T) {
	for _, tt := range []struct {
		name string
		code byte
		err  error
		most int // attempts in an hour
		why  string
	}{
		{"not authorized", 0x87, nil, 16, "answers 0x87 to fieldgate/g/last/+: check its access list"},
		{"the broker closes", 0, ErrRejectedByDisconnect, 9, "closes the connection at each message to fieldgate/g/last/+"},
		{"too large", 0, ErrTooLarge, 16, "messages as large as those to fieldgate/g/last/+"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, func(c *Config) { c.Last = func(string) bool { return true } })
				r.uplink.SetLink(Link{Up: true, Window: 20})
				r.uplink.Set("fieldgate/g/health", []byte("1"), nil)
				tried, health, deny := 0, 0, true
				serve := func() {
					for flights := r.settled(); len(flights) > 0; flights = r.settled() {
						last := 0
						for _, f := range flights {
							switch {
							case deny && strings.HasPrefix(f.Topic, "fieldgate/g/last/"):
								last++
								f.done(tt.code, tt.err)
							case deny && f.Topic == "fieldgate/g/health":
								health++
								f.done(tt.code, tt.err)
							default:
								f.done(0, nil)
							}
						}
						if tried += last; last > 1 {
							t.Errorf("%d newest readings at once before the broker took one", last)
						}
					}
				}
				for i := range 60 {
					for s := range 4 {
						r.measure(fmt.Sprint("s", s), 1)
					}
					// changes, and stays refused
					r.uplink.Set("fieldgate/g/health", fmt.Append(nil, i), nil)
					serve()
					time.Sleep(time.Minute)
				}
				if tried > tt.most || tried < 3 || health > tt.most {
					t.Errorf("P/last was tried %d times in an hour, P/health %d", tried, health)
				}
				if s := r.uplink.Stats(); s.Delivered != 240 {
					t.Errorf("%d of 240 readings delivered", s.Delivered)
				}
				var whys []string
				for _, f := range r.uplink.Refusals() {
					whys = append(whys, f.Why)
				}
				if text := strings.Join(whys, "\n"); !strings.Contains(text, tt.why) || !strings.Contains(text, "fieldgate/g/health") {
					t.Errorf("want %q and P/health, got\n%s", tt.why, text)
				}
				deny = false
				for range 20 {
					time.Sleep(pauseMax)
					r.measure("s0", 1)
					serve()
				}
				// a single sensor's may be tried later
				if list := r.uplink.Refusals(); len(list) > 1 {
					t.Errorf("still refused: %+v", list)
				}
				r.close()
			})
		})
	}
}

// TestWithoutRetainedMessagesDocumentsAreSentPlain
func TestWithoutRetainedMessagesDocumentsAreSentPlain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Last = func(string) bool { return true } })
		r.uplink.Set("fieldgate/g/status", []byte("1"), nil)
		r.uplink.SetLink(Link{Up: true, Window: 20, NoRetain: true})
		flights := r.settled()
		ack(flights, 0)
		r.measure("a", 1)
		flights = append(flights, r.settled()...)
		r.want("status, telemetry/a 1-1, last/a 1-1", flights)
		for _, f := range flights {
			if f.Retain {
				t.Errorf("%s has RETAIN", f.Topic)
			}
		}
		r.close()
	})
}

// TestEventsToARefusedTopicAreNotTriedOneByOne: each would cost two connections if the broker
// closes.
func TestEventsToARefusedTopicAreNotTriedOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.uplink.SetLink(Link{Up: true, Window: 20})
		synctest.Wait()
		tried := 0
		for range 30 {
			r.happen("sensor")
			for flights := r.settled(); len(flights) > 0; flights = r.settled() {
				for _, f := range flights {
					if strings.HasSuffix(f.Topic, "events/sensor") {
						tried++
						f.done(0, ErrRejectedByDisconnect)
					} else {
						f.done(0, nil)
					}
				}
			}
			time.Sleep(time.Second)
		}
		if tried != 1 {
			t.Errorf("%d attempts in half a minute", tried)
		}
		r.close()
	})
}

// TestHeldReadingsAreBoundedInBytes
func TestHeldReadingsAreBoundedInBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.uplink.SetLink(Link{Up: true, Window: 20})
		synctest.Wait()
		for range 400 {
			if _, err := r.store.Append(t.Context(), buffer.Readings, "a", time.Second, bigBody); err != nil {
				t.Fatal(err)
			}
			for flights := r.settled(); len(flights) > 0; flights = r.settled() {
				ack(flights, 0x87)
			}
		}
		if _, bytes := r.uplink.kept(); bytes == 0 || bytes > 2*len(bigBody) { // one of each topic
			t.Errorf("%d bytes are held", bytes)
		}
		r.close()
	})
}

// bigBody is a reading of 16 KiB.
var bigBody = reading.Append(nil, []drivers.Value{drivers.String("t", strings.Repeat("x", 16<<10))})

package uplink

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/event"
	"github.com/fieldgate/fieldgate/internal/reading"
)

// TestRefusalOfTheBrokerBuriesNothingMore: what refuses every reading of a topic is no fault of the readings. After a few dead letters the
// topic is paused; when the broker takes it again the rest follows.
func TestRefusalOfTheBrokerBuriesNothingMore(t *testing.T) {
	for _, tt := range []struct {
		name  string
		code  byte
		err   error
		dead  int64
		wants string
	}{
		{"payload format invalid", codePayloadInvalid, nil, culpritsMax, "answers 0x99 to fieldgate/g/telemetry/a"},
		{"topic name invalid", codeTopicInvalid, nil, 0, "answers 0x90 to fieldgate/g/telemetry/a"},
		{"larger than its packets", 0, ErrTooLarge, culpritsMax, "no message as large as those to fieldgate/g/telemetry/a"},
		{"packet too large, not announced", codeTooLarge, nil, culpritsMax, "no message as large as those to fieldgate/g/telemetry/a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				r.uplink.SetLink(Link{Up: true, Window: 20})
				synctest.Wait()
				tried := 0
				refuse := func(flights []flight) {
					for _, f := range flights {
						if strings.Contains(f.Topic, "telemetry/a") {
							tried++
							f.done(tt.code, tt.err)
						} else {
							f.done(0, nil)
						}
					}
				}
				for range 240 { // a reading a second, and another topic that passes
					r.measure("a", 1)
					r.measure("b", 1)
					for flights := r.settled(); len(flights) > 0; flights = r.settled() {
						refuse(flights)
					}
					time.Sleep(time.Second)
				}
				// What waits long becomes late, which is a topic of its own.
				dead := r.store.Stats().Dead
				if dead != tt.dead && dead != 2*tt.dead || r.uplink.Stats().Delivered != 240 {
					t.Errorf("want %d dead letters a topic and all 240 of b delivered, got %d and %d", tt.dead, dead, r.uplink.Stats().Delivered)
				}
				if tried > 60 {
					t.Errorf("%d messages to what is refused in 4 minutes", tried)
				}
				if why := r.uplink.Refusals(); len(why) == 0 || len(why) > 2 || !strings.Contains(why[0].Why, tt.wants) {
					t.Errorf("want %q, got %+v", tt.wants, why)
				}
				for range 3 {
					time.Sleep(pauseMax)
					for flights := r.settled(); len(flights) > 0; flights = r.settled() {
						ack(flights, 0)
					}
				}
				if s := r.uplink.Stats(); s.Delivered != 480-uint64(dead) || len(r.uplink.Refusals()) != 0 {
					t.Errorf("then: %+v %+v", s, r.uplink.Refusals())
				}
				if left := r.close(); left != 0 {
					t.Errorf("%d records are left", left)
				}
			})
		})
	}
}

// TestTopicWhoseOldestReadingsAreCulpritsIsNotStuck: a pause because of culprits tries the newest reading as well.
func TestTopicWhoseOldestReadingsAreCulpritsIsNotStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.measure("a", 30)
		r.uplink.SetLink(Link{Up: true, Window: 20})
		for range 30 {
			r.uplink.SetLink(Link{}) // what is measured meanwhile is late as well
			synctest.Wait()
			r.measure("a", 1)
			r.uplink.SetLink(Link{Up: true, Window: 20})
			for flights := r.settled(); len(flights) > 0; flights = r.settled() {
				for _, f := range flights {
					var m struct{ Readings []struct{ Seq uint64 } }
					if err := json.Unmarshal(f.Payload, &m); err != nil {
						t.Fatal(err)
					}
					if m.Readings[0].Seq <= 5 {
						f.done(codePayloadInvalid, nil)
					} else {
						f.done(0, nil)
					}
				}
			}
			time.Sleep(time.Minute)
		}
		if s, u := r.store.Stats(), r.uplink.Stats(); s.Dead != 5 || u.Delivered != 55 || len(r.uplink.Refusals()) != 0 {
			t.Errorf("want 5 dead letters of 60 readings, got %d, delivered %d", s.Dead, u.Delivered)
		}
		r.close()
	})
}

// loss queues a loss event of n ranges.
func (r *rig) loss(n int) {
	r.t.Helper()
	var e contract.LossEvent
	for i := range n {
		e.Loss = append(e.Loss, contract.Loss{Run: "3f9c61a2b07d", Sensor: "a", First: uint64(2*i + 1), Last: uint64(2*i + 1), Count: 1, Reason: "evicted"})
	}
	body, err := event.Encode(contract.EventLoss, e)
	if err == nil {
		_, err = r.store.Append(r.t.Context(), buffer.Events, event.Events, time.Second, body)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// TestEventsOfTheLedgerAreDividedOrHeldNeverBuried: packets of 300 bytes, announced, refused or fatal to the connection. Every range
// arrives under the number of its event; a boot event that does not fit waits.
func TestEventsOfTheLedgerAreDividedOrHeldNeverBuried(t *testing.T) {
	const limit = 300
	for _, tt := range []struct {
		name string
		link Link
		code byte
		err  error
	}{
		{"announced", Link{Up: true, Window: 20, MaxPacket: limit}, 0, ErrTooLarge},
		{"refused with 0x95", Link{Up: true, Window: 20}, codeTooLarge, nil},
		{"the broker closes", Link{Up: true, Window: 20}, 0, ErrPoison},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				body, err := event.Encode(contract.EventBoot, contract.BootEvent{Version: strings.Repeat("v", limit)})
				if err == nil {
					_, err = r.store.Append(t.Context(), buffer.Events, event.Events, time.Second, body)
				}
				if err != nil {
					t.Fatal(err)
				}
				r.loss(40)
				r.uplink.SetLink(tt.link)
				told := map[string]bool{}
				for range 5 {
					for flights := r.settled(); len(flights) > 0; flights = r.settled() {
						for _, f := range flights {
							if len(f.Topic)+len(f.Payload)+20 > limit {
								f.done(tt.code, tt.err)
								continue
							}
							var e struct {
								N    uint64
								Loss []contract.Loss
							}
							if err := json.Unmarshal(f.Payload, &e); err != nil || e.N != 2 {
								t.Fatalf("%s: %v", f.Payload, err)
							}
							for _, l := range e.Loss {
								told[fmt.Sprint(l.First)] = true
							}
							f.done(0, nil)
						}
					}
					time.Sleep(time.Minute)
				}
				if s := r.store.Stats(); len(told) != 40 || s.Dead != 0 || s.Events-int64(len(r.alarms)) > 1 {
					t.Errorf("want 40 ranges told and the boot event kept, got %d, %+v", len(told), s)
				}
				if list := r.uplink.Refusals(); len(list) != 1 || list[0].Topic != "fieldgate/g/events/boot" {
					t.Errorf("refusals: %+v", list)
				}
				if left := r.close(); left != 1 {
					t.Errorf("want the boot event left, got %d records", left)
				}
			})
		})
	}
}

// TestPartsOfALossEventOutliveTheConnection: while one part is acknowledged, and the others wait, the link goes and comes.
func TestPartsOfALossEventOutliveTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.loss(8)
		link := Link{Up: true, Window: 1, MaxPacket: 500}
		r.uplink.SetLink(link)
		told := 0
		for i := 0; told < 8; i++ {
			flights := r.settled()
			if len(flights) != 1 {
				t.Fatalf("%d messages in a window of 1, %d ranges told", len(flights), told)
			}
			told += strings.Count(string(flights[0].Payload), `"first"`)
			r.uplink.SetLink(Link{})
			synctest.Wait()
			ack(flights, 0) // the client resent it on the next connection
			r.uplink.SetLink(link)
			if s := r.store.Stats(); told < 8 && s.Events != 1 {
				t.Fatalf("after %d of 8 ranges the store has %d events", told, s.Events)
			}
		}
		if more := r.settled(); told != 8 || len(more) != 0 {
			t.Errorf("told %d ranges of 8, and %q", told, show(more))
		}
		if left := r.close(); left != 0 {
			t.Errorf("%d records are left", left)
		}
	})
}

// narrow is a broker that takes messages up to a size and has not said so.
type narrow struct {
	limit   int
	code    byte
	err     error
	refused int
}

// serve answers what was sent until nothing more comes, and returns the largest message that passed.
func (n *narrow) serve(r *rig) (largest int) {
	for flights := r.settled(); len(flights) > 0; flights = r.settled() {
		for _, f := range flights {
			if size := len(f.Topic) + len(f.Payload); size > n.limit {
				n.refused++
				f.done(n.code, n.err)
			} else {
				largest = max(largest, size)
				f.done(0, nil)
			}
		}
	}
	return largest
}

// TestUnannouncedLimitIsLearnedOnceAndKept: the batches of a backlog fit after a few messages, also after a restart of the program, and a
// limit that was raised is found.
func TestUnannouncedLimitIsLearnedOnceAndKept(t *testing.T) {
	for _, tt := range []struct {
		name string
		code byte
		err  error
		cost int // messages that did not pass, at most
	}{{"packet too large", codeTooLarge, nil, 6}, {"the broker closes", 0, ErrPoison, 6}, {"DISCONNECT with packet too large", 0, ErrTooLarge, 6}} {
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

// TestClosingAtATopicIsToldFromClosingAtASize: one reading alone is sent before a batch is sent again.
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
						f.done(0, ErrPoison)
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

// TestRefusedDocumentsPauseAndAreNamed: documents at which the broker closes, which it refuses or which are too large. Of a family one at a
// time is tried; telemetry flows.
func TestRefusedDocumentsPauseAndAreNamed(t *testing.T) {
	for _, tt := range []struct {
		name string
		code byte
		err  error
		most int // attempts in an hour
		why  string
	}{
		{"not authorized", 0x87, nil, 16, "answers 0x87 to fieldgate/g/last/+: check its access list"},
		{"the broker closes", 0, ErrPoison, 9, "closes the connection at each message to fieldgate/g/last/+"},
		{"too large", 0, ErrTooLarge, 16, "no message as large as those to fieldgate/g/last/+"},
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
					r.uplink.Set("fieldgate/g/health", fmt.Append(nil, i), nil) // changes, and stays refused
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
				if list := r.uplink.Refusals(); len(list) > 1 { // a single sensor's may be tried later
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

// TestEventsToARefusedTopicAreNotTriedOneByOne: each would cost two connections where the broker closes.
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
						f.done(0, ErrPoison)
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

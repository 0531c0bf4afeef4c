package uplink

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/event"
)

// TestRefusalOfTheBrokerBuriesNothingMore: what refuses every reading of a topic is not a fault of
// the readings. After a few dead letters the topic is paused; when the broker takes it again the
// rest follows.
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
		{"larger than its packets", 0, ErrTooLarge, culpritsMax, "messages as large as those to fieldgate/g/telemetry/a"},
		{"packet too large, not announced", codeTooLarge, nil, culpritsMax, "messages as large as those to fieldgate/g/telemetry/a"},
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

// TestTopicWhoseOldestReadingsAreCulpritsIsNotStuck: a pause because of culprits tries the newest
// reading as well.
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
			r.refuseUpTo(5)
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

// TestEventsOfTheLedgerAreDividedOrHeldNeverBuried: packets of 300 bytes, announced, refused or
// fatal to the connection. Every range arrives under the number of its event; a boot event that
// does not fit waits.
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
		{"the broker closes", Link{Up: true, Window: 20}, 0, ErrRejectedByDisconnect},
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
				reported := map[string]bool{}
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
								reported[fmt.Sprint(l.First)] = true
							}
							f.done(0, nil)
						}
					}
					time.Sleep(time.Minute)
				}
				if s := r.store.Stats(); len(reported) != 40 || s.Dead != 0 || s.Events-int64(len(r.alarms)) > 1 {
					t.Errorf("want 40 ranges told and the boot event kept, got %d, %+v", len(reported), s)
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

// TestPartsOfALossEventOutliveTheConnection: while one part is acknowledged, and the others wait,
// the link goes and comes.
func TestPartsOfALossEventOutliveTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.loss(8)
		link := Link{Up: true, Window: 1, MaxPacket: 500}
		r.uplink.SetLink(link)
		reported := 0
		for i := 0; reported < 8; i++ {
			flights := r.settled()
			if len(flights) != 1 {
				t.Fatalf("%d messages in a window of 1, %d ranges told", len(flights), reported)
			}
			reported += strings.Count(string(flights[0].Payload), `"first"`)
			r.uplink.SetLink(Link{})
			synctest.Wait()
			ack(flights, 0) // the client resent it on the next connection
			r.uplink.SetLink(link)
			if s := r.store.Stats(); reported < 8 && s.Events != 1 {
				t.Fatalf("after %d of 8 ranges the store has %d events", reported, s.Events)
			}
		}
		if more := r.settled(); reported != 8 || len(more) != 0 {
			t.Errorf("told %d ranges of 8, and %q", reported, show(more))
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

// serve answers what was sent until nothing more comes, and returns the largest message that
// passed.
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

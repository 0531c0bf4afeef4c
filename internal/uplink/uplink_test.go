package uplink

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/event"
)

func TestLiveAndLateGoToTheirTopicsAndLeaveOnPuback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.measure("a", 3)
		r.measure("b", 1)
		r.want("", r.settled())
		r.uplink.SetLink(Link{Up: true, Window: 20})
		late := r.settled()
		r.want("telemetry/a/late 1-3, telemetry/b/late 1-1", late)
		r.measure("a", 1)
		live := r.settled()
		r.measure("a", 1)
		live = append(live, r.settled()...)
		r.want("telemetry/a 4-4, telemetry/a 5-5", live)
		ack(late, 0)
		synctest.Wait()
		if s := r.store.Stats(); s.Live != 2 || s.Backlog != 0 {
			t.Errorf("after the PUBACK of the late ones: want 2 live and no backlog, got %d and %d", s.Live, s.Backlog)
		}
		ack(live[:1], codeNoSubscribers)
		ack(live[1:], 0)
		synctest.Wait()
		if s := r.uplink.Stats(); s.Delivered != 6 || s.Unrouted != 1 {
			t.Errorf("want 6 delivered and 1 unrouted, got %+v", s)
		}
		if left := r.close(); left != 0 {
			t.Errorf("%d records are left", left)
		}
	})
}

func TestWhatWaitsBehindAFullWindowIsBatchedAndLateAfterALoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.uplink.SetLink(Link{Up: true, Window: 4})
		synctest.Wait()
		var first []flight
		for range 10 {
			r.measure("a", 1)
			first = append(first, r.settled()...)
		}
		// Of 4 slots live takes 2: one is the events', one the backlog's.
		r.want("telemetry/a 1-1, telemetry/a 2-2", first)
		ack(first[:1], 0)
		next := r.settled()
		r.want("telemetry/a 3-10", next)
		r.measure("a", 2)
		r.want("", r.settled())
		r.uplink.SetLink(Link{})
		synctest.Wait()
		r.uplink.SetLink(Link{Up: true, Window: 4})
		// 2 to 10 are the client's, which resends them; 11 and 12 waited out the loss.
		r.want("telemetry/a/late 11-12", r.settled())
		r.close()
	})
}

func TestEventsPassAFullWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.BatchMax = 1 })
		r.measure("a", 50)
		r.uplink.SetLink(Link{Up: true, Window: 6})
		backlog := r.settled()
		r.measure("a", 50)
		live := r.settled()
		if len(backlog) != 4 || len(live) != 1 {
			t.Errorf("want 4 messages of backlog and 1 live of a window of 6, got %d and %d", len(backlog), len(live))
		}
		r.happen("sensor")
		r.want("events/sensor", r.settled())
		r.close()
	})
}

func TestBacklogIsNotStarvedByLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.BatchMax = 1 })
		r.measure("a", 20)
		r.uplink.SetLink(Link{Up: true, Window: 1})
		late := 0
		for range 40 {
			r.measure("a", 1)
			flights := r.settled()
			if len(flights) > 1 {
				t.Fatalf("a window of 1 holds %d messages", len(flights))
			}
			if strings.Contains(show(flights), "late") {
				late++
			}
			ack(flights, 0)
		}
		if late < 7 || late > 30 {
			t.Errorf("of 40 messages %d were late", late)
		}
		r.close()
	})
}

func TestRefusedTopicPausesAlarmsAndLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.uplink.SetLink(Link{Up: true, Window: 20})
		synctest.Wait()
		r.measure("a", 2)
		ack(r.settled(), 0x87)
		r.measure("a", 1)
		r.measure("b", 1)
		r.want("telemetry/b 1-1", r.settled())
		if len(r.alarms) != 1 || r.alarms[0].State != "raised" || !strings.Contains(r.alarms[0].Detail, "answers 0x87 to fieldgate/g/telemetry/a: check its access list") {
			t.Fatalf("alarms: %+v", r.alarms)
		}
		time.Sleep(pauseMin + time.Second)
		probe := r.settled()
		if len(probe) != 1 {
			t.Fatalf("want one probe, got %q", show(probe))
		}
		ack(probe, 0x87)
		time.Sleep(pauseMin + time.Second)
		r.want("", r.settled()) // the delay has doubled
		time.Sleep(pauseMin)
		probe = r.settled()
		if len(probe) != 1 {
			t.Fatalf("want one probe, got %q", show(probe))
		}
		ack(probe, 0)
		rest := r.settled()
		ack(rest, 0)
		synctest.Wait()
		if len(r.alarms) != 2 || r.alarms[1].State != "cleared" {
			t.Errorf("alarms: %+v", r.alarms)
		}
		all := show(append(probe, rest...))
		for _, want := range []string{"telemetry/a 1-", "-3"} {
			if !strings.Contains(all, want) {
				t.Errorf("want the readings 1 to 3 of a, got %q", all)
			}
		}
		if left := r.close(); left != 1 { // b was not acknowledged
			t.Errorf("want 1 record left, got %d", left)
		}
	})
}

// A probe that ends without the broker's verdict on its topic is followed by another.
func TestProbeWithoutAVerdict(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(r *rig, probe []flight)
	}{
		{"the connection ends", func(r *rig, probe []flight) {
			r.uplink.SetLink(Link{})
			for _, f := range probe {
				f.done(0, ErrEnded)
			}
			synctest.Wait()
			r.uplink.SetLink(Link{Up: true, Window: 20})
		}},
		{"it is too large", func(_ *rig, probe []flight) {
			for _, f := range probe {
				f.done(0, ErrTooLarge)
			}
		}},
		{"its payload is refused", func(_ *rig, probe []flight) { ack(probe, codePayloadInvalid) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				r.measure("a", 4) // one message
				r.uplink.SetLink(Link{Up: true, Window: 20})
				ack(r.settled(), 0x87)
				time.Sleep(pauseMin + time.Second)
				probe := r.settled()
				r.want("telemetry/a/late 1-4", probe)
				tt.end(r, probe)
				for range 10 {
					time.Sleep(pauseMin + time.Second)
					ack(r.settled(), 0)
				}
				if s := r.uplink.Stats(); s.Delivered != 4 || len(r.uplink.Refusals()) != 0 {
					t.Errorf("got %+v", s)
				}
				r.close()
			})
		})
	}
}

func TestHoldKeepsWhatNobodySubscribed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Hold = true })
		r.uplink.SetLink(Link{Up: true, Window: 20})
		synctest.Wait()
		r.measure("a", 1)
		ack(r.settled(), codeNoSubscribers)
		synctest.Wait()
		if s := r.uplink.Stats(); s.Delivered != 0 {
			t.Errorf("%d readings count as delivered", s.Delivered)
		}
		if left := r.close(); left != 1 {
			t.Errorf("want the reading kept, %d left", left)
		}
	})
}

func TestCulpritOfABadBatchIsBuriedAlone(t *testing.T) {
	for _, tt := range []struct {
		name string
		code byte
		err  error
	}{{"payload format invalid", codePayloadInvalid, nil}, {"too large", 0, ErrTooLarge}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				r.measure("a", 9)
				r.uplink.SetLink(Link{Up: true, Window: 20})
				var got []string
				for flights := r.settled(); len(flights) > 0; flights = r.settled() {
					for _, f := range flights {
						if text := string(f.Payload); strings.Contains(text, `"seq":7,`) {
							f.done(tt.code, tt.err)
						} else {
							got = append(got, show([]flight{f}))
							f.done(0, nil)
						}
					}
				}
				s := r.store.Stats()
				if r.uplink.Stats().Delivered != 8 || s.Refused != 1 || s.Dead != 1 {
					t.Errorf("want 8 delivered and 1 dead letter, got %v, %+v, %+v", got, r.uplink.Stats(), s)
				}
				l := r.store.TakeLosses(10)
				if len(l) != 1 || l[0].First != 7 || l[0].Last != 7 || l[0].Reason != "refused" {
					t.Errorf("ledger: %+v", l)
				}
				if left := r.close(); left != 0 {
					t.Errorf("%d records are left", left)
				}
			})
		})
	}
}

func TestReadingsWaitForTheClockAndEventsDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.clock.pending = true
		r.uplink.SetLink(Link{Up: true, Window: 20})
		synctest.Wait()
		r.measure("a", 1)
		r.happen("sensor")
		flights := r.settled()
		r.want("events/sensor", flights)
		if text := string(flights[0].Payload); !strings.Contains(text, `"ts":null,"up":1`) {
			t.Errorf("event without a clock: %s", text)
		}
		r.clock.pending = false
		r.uplink.Wake()
		r.want("telemetry/a 1-1", r.settled())
		r.close()
	})
}

func TestRetainedDocuments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Last = func(string) bool { return true } })
		r.uplink.Set("t/a", []byte("1"), nil)
		r.uplink.Set("t/a", []byte("2"), nil)
		cleared := false
		r.uplink.Set("t/gone", nil, func() { cleared = true })
		r.uplink.SetLink(Link{Up: true, Window: 20})
		flights := r.settled()
		r.want("t/a, t/gone", flights)
		if string(flights[0].Payload) != "2" || !flights[0].Retain || len(flights[1].Payload) != 0 {
			t.Errorf("got %q and %q", flights[0].Payload, flights[1].Payload)
		}
		ack(flights, 0)
		r.uplink.Set("t/a", []byte("2"), nil)
		r.want("", r.settled())
		if !cleared {
			t.Error("nobody was told that the topic is cleared")
		}
		r.uplink.Repeat("t/a")
		ack(r.settled(), 0)
		synctest.Wait()
		r.uplink.SetLink(Link{})
		synctest.Wait()
		r.uplink.SetLink(Link{Up: true, Window: 20})
		r.want("", r.settled())
		r.uplink.SetLink(Link{Up: true, Window: 20, Fresh: true})
		ack(r.settled(), 0)

		// The newest reading of each sensor follows, at most once a second.
		r.measure("s", 1)
		flights = r.settled()
		r.want("telemetry/s 1-1, last/s 1-1", flights)
		ack(flights, 0)
		r.measure("s", 1)
		r.measure("s", 1)
		flights = r.settled()
		ack(flights, 0)
		time.Sleep(2 * time.Second)
		r.want("last/s 3-3", r.settled())
		r.close()
	})
}

func TestReplyGoesWhereItWasAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		body := event.EncodeReply(event.Reply{Topic: "me/answers", Correlation: []byte{1, 2}, Payload: []byte(`{"v":1}`)})
		if _, err := r.store.Append(t.Context(), buffer.Events, event.Replies, 0, body); err != nil {
			t.Fatal(err)
		}
		r.uplink.SetLink(Link{Up: true, Window: 20})
		flights := r.settled()
		if len(flights) != 1 || flights[0].Topic != "me/answers" || !slices.Equal(flights[0].Correlation, []byte{1, 2}) || string(flights[0].Payload) != `{"v":1}` || flights[0].Retain {
			t.Errorf("got %+v", flights)
		}
		r.close()
	})
}

// A client that takes nothing, such as one whose broker has no retained messages, is not asked in a
// loop, and what it did not take comes with the next connection.
func TestWhatTheClientDoesNotTakeWaitsForTheNextConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.uplink.Set("t/a", []byte("1"), nil)
		r.uplink.SetLink(Link{Up: true, Window: 20})
		synctest.Wait()
		r.measure("a", 1)
		flights := r.settled()
		r.want("t/a, telemetry/a 1-1", flights)
		for _, f := range flights {
			f.done(0, errors.New("not supported by the broker"))
		}
		time.Sleep(time.Minute)
		r.want("", r.settled())
		r.uplink.SetLink(Link{Up: true, Window: 20})
		r.want("t/a, telemetry/a/late 1-1", r.settled())
		r.close()
	})
}

// TestPacer gives the pacer a line of known rate and round trip and looks at the delay that it
// settles at.
func TestPacer(t *testing.T) {
	for _, tt := range []struct {
		rate float64 // bytes per second
		base time.Duration
	}{{50e3, 50 * time.Millisecond}, {400e3, 600 * time.Millisecond}, {2e6, 20 * time.Millisecond}} {
		p := newPacer()
		p.seen(tt.base + time.Duration(200/tt.rate*1e9)) // the birth
		var worst time.Duration
		for i := range 2000 {
			// A budget in flight on a line of this rate: queueing delay is what the line needs for
			// it beyond a round trip.
			queue := max(time.Duration(float64(p.budget)/tt.rate*1e9)-tt.base, 0)
			if i > 200 {
				worst = max(worst, queue)
			}
			p.acked(min(p.budget, 2048), tt.base+queue)
		}
		carried := float64(p.budget) / tt.base.Seconds()
		if worst > 300*time.Millisecond || carried < 0.5*tt.rate && p.budget < pacerMax {
			t.Errorf("%v B/s at %v: delay up to %v, budget %d", tt.rate, tt.base, worst, p.budget)
		}
	}
}

package uplink

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/internal/event"
)

// publishLosses does what the gateway does now and then: it makes an event of what is new in the
// ledger.
func (r *rig) publishLosses() {
	r.t.Helper()
	j := event.NewJournal(event.Config{Store: r.store, Up: func() time.Duration { return time.Hour }, Log: r.uplink.cfg.Log})
	if err := j.Losses(r.t.Context()); err != nil {
		r.t.Error(err)
	}
}

// enter has what nobody got in the ledger at once.
func (r *rig) enter() {
	r.t.Helper()
	if err := r.store.Flush(r.t.Context()); err != nil {
		r.t.Error(err)
	}
}

// nobodyGets measures n readings of a, of which the broker says that nobody had subscribed.
func (r *rig) nobodyGets(n int) {
	r.t.Helper()
	for range n {
		r.measure("a", 1)
		ack(r.settled(), codeNoSubscribers)
		synctest.Wait()
	}
}

// ranges shows what loss events say, by their numbers.
func ranges(flights []flight) string {
	var out []string
	for _, f := range flights {
		_, n, _ := strings.Cut(string(f.Payload), `"n":`)
		n, _, _ = strings.Cut(n, ",")
		_, loss, _ := strings.Cut(string(f.Payload), `"first":`)
		out = append(out, "n "+n+": "+strings.Trim(loss, "}]"))
	}
	return strings.Join(out, "; ")
}

// answer expects loss events and answers them.
func (r *rig) answer(want string, code byte) {
	r.t.Helper()
	flights := r.settled()
	if got := ranges(flights); got != want {
		r.t.Errorf("got %q, want %q", got, want)
	}
	ack(flights, code)
	synctest.Wait()
}

func rangeOf(n, first, last int) string {
	return fmt.Sprintf(`n %d: %d,"last":%d,"count":%d,"reason":"unrouted"`, n, first, last, last-first+1)
}

// A loss event that nobody got is kept; while it is, the ledger makes no other, and what it would
// have reported accumulates. All is reported as soon as somebody has subscribed.
func TestLossEventThatNobodyGotIsToldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.uplink.SetLink(Link{Up: true, Window: 20})
		synctest.Wait()
		r.nobodyGets(5)
		r.enter()
		r.publishLosses()
		r.answer(rangeOf(1, 1, 5), codeNoSubscribers)
		for range 20 {
			r.nobodyGets(1)
			r.enter()
			r.publishLosses()
			time.Sleep(10 * time.Second)
		}
		r.want("", r.settled())
		if s := r.store.Stats(); s.Events != 1 || s.Losses != 1 {
			t.Errorf("want one event and one entry of the ledger, got %+v", s)
		}
		r.measure("a", 1)
		ack(r.settled(), 0)
		r.answer(rangeOf(1, 1, 5), 0)
		r.publishLosses()
		r.answer(rangeOf(2, 6, 25), 0)
		time.Sleep(time.Hour)
		r.publishLosses()
		r.want("", r.settled())
		if s := r.uplink.Stats(); s.Delivered != 26 || s.Unrouted != 25 {
			t.Errorf("%+v", s)
		}
		if left := r.close(); left != 0 {
			t.Errorf("%d records are left", left)
		}
	})
}

// Without news a loss event is tried every 5 minutes: that another topic has subscribers all the
// time is not news.
func TestLossEventIsTriedSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.uplink.SetLink(Link{Up: true, Window: 20})
		synctest.Wait()
		r.nobodyGets(1)
		tries := 0
		for range 180 {
			r.measure("b", 1)
			r.measure("a", 1)
			for flights := r.settled(); len(flights) > 0; flights = r.settled() {
				for _, f := range flights {
					code := byte(codeNoSubscribers)
					if strings.Contains(f.Topic, "telemetry/b") {
						code = 0
					} else if strings.HasSuffix(f.Topic, "events/loss") {
						tries++
					}
					f.done(code, nil)
				}
			}
			r.publishLosses()
			time.Sleep(10 * time.Second)
		}
		if s := r.store.Stats(); tries < 5 || tries > 7 || s.Events != 1 || s.Losses != 1 {
			t.Errorf("%d tries in half an hour, %+v", tries, s)
		}
		r.close()
	})
}

// A loss event that waits is tried by the next connection and kept over restarts; one that is
// refused afterwards, or is not a message that the broker takes, does not keep the others.
func TestKeptLossEventsEnd(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(r *rig)
		want string // what comes then
	}{
		{"another connection", func(r *rig) {
			r.uplink.SetLink(Link{})
			synctest.Wait()
			r.uplink.SetLink(Link{Up: true, Window: 20})
		}, rangeOf(1, 1, 1) + "; " + rangeOf(2, 3, 3)},
		{"another connection while it waits for the window", func(r *rig) {
			r.uplink.SetLink(Link{Up: true, Window: 1})
			r.answer(rangeOf(1, 1, 1), codeNoSubscribers)
			r.answer(rangeOf(2, 3, 3), codeNoSubscribers)
			r.measure("b", 1)
			slow := r.settled()
			time.Sleep(unroutedEvery + time.Second)
			r.want("", r.settled())
			r.uplink.SetLink(Link{Up: true, Window: 20})
			r.answer(rangeOf(1, 1, 1)+"; "+rangeOf(2, 3, 3), codeNoSubscribers)
			ack(slow, 0)
			time.Sleep(unroutedEvery + time.Second)
			r.answer(rangeOf(1, 1, 1), 0)
		}, rangeOf(2, 3, 3)},
		{"its payload is refused: it is held and never buried", func(r *rig) {
			time.Sleep(unroutedEvery + time.Second)
			r.answer(rangeOf(1, 1, 1), codePayloadInvalid)
			r.want("", r.settled())
			time.Sleep(pauseMin + time.Second)
			r.answer(rangeOf(1, 1, 1), codePayloadInvalid)
			time.Sleep(2*pauseMin + time.Second)
			r.answer(rangeOf(2, 3, 3), 0) // oldest and newest take turns
		}, rangeOf(1, 1, 1)},
		{"not authorized", func(r *rig) {
			time.Sleep(unroutedEvery + time.Second)
			r.answer(rangeOf(1, 1, 1), 0x87)
			r.want("", r.settled())
			time.Sleep(pauseMin + time.Second)
			r.answer(rangeOf(1, 1, 1), 0)
		}, rangeOf(2, 3, 3)},
		{"not authorized, then nobody", func(r *rig) {
			time.Sleep(unroutedEvery + time.Second)
			r.answer(rangeOf(1, 1, 1), 0x87)
			time.Sleep(pauseMin + time.Second)
			r.answer(rangeOf(1, 1, 1), codeNoSubscribers)
			r.answer(rangeOf(2, 3, 3), codeNoSubscribers)
			r.want("", r.settled())
			time.Sleep(unroutedEvery + time.Second)
			r.answer(rangeOf(1, 1, 1), 0)
		}, rangeOf(2, 3, 3)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				for range 2 { // two events, made offline
					r.measure("a", 1)
					r.store.AckUnrouted(r.store.Take(1, 1, 100))
					r.enter()
					r.publishLosses()
					r.measure("a", 1)
					r.store.Ack(r.store.Take(1, 1, 100))
				}
				r.uplink.SetLink(Link{Up: true, Window: 20})
				ack(r.settled(), codeNoSubscribers)
				synctest.Wait()
				tt.end(r)
				r.answer(tt.want, 0)
				r.measure("a", 1)
				ack(r.settled(), codeNoSubscribers)
				synctest.Wait()
				r.enter()
				r.publishLosses() // the ledger reports again
				if got := ranges(r.settled()); got != rangeOf(3, 5, 5) {
					t.Errorf("then: %q", got)
				}
				if left := r.close(); left != 1 {
					t.Errorf("%d records are left", left)
				}
			})
		})
	}
}

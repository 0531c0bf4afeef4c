package uplink

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/event"
)

// TestOrderSurvivesRefusals: several messages of a sensor are refused one after the other; they
// pass in their order.
func TestOrderSurvivesRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.uplink.SetLink(Link{Up: true, Window: 20})
		synctest.Wait()
		var flights []flight
		for range 4 {
			r.measure("a", 1)
			flights = append(flights, r.settled()...)
		}
		ack(flights, 0x87)
		synctest.Wait()
		time.Sleep(pauseMin + time.Second)
		probe := r.settled()
		ack(probe, 0)
		rest := r.settled()
		r.want("telemetry/a 1-1, telemetry/a 2-2, telemetry/a 3-3, telemetry/a 4-4", append(probe, rest...))
		ack(rest, 0)
		if left := r.close(); left != 0 {
			t.Errorf("%d records are left", left)
		}
	})
}

// TestOrderSurvivesHalving: batches are larger than the broker's packets; the halves go in their
// order.
func TestOrderSurvivesHalving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.measure("a", 300)
		r.uplink.SetLink(Link{Up: true, Window: 20, MaxPacket: 3000})
		var got []string
		for flights := r.settled(); len(flights) > 0; flights = r.settled() {
			got = append(got, show(flights))
			ack(flights, 0)
		}
		all := strings.ReplaceAll(strings.Join(got, ", "), "telemetry/a/late ", "")
		next := "1"
		for part := range strings.SplitSeq(all, ", ") {
			first, last, _ := strings.Cut(part, "-")
			if first != next {
				t.Fatalf("%s comes where %s was next: %s", first, next, all)
			}
			next = plusOne(last)
		}
		if left := r.close(); left != 0 || next != "301" {
			t.Errorf("%d records are left, next is %s", left, next)
		}
	})
}

func plusOne(n string) string {
	b := []byte(n)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i]++; b[i] <= '9' {
			return string(b)
		}
		b[i] = '0'
	}
	return "1" + string(b)
}

// TestSmallPacketsOfTheBrokerRefuseNothingThatFits: for a single reading the client's exact word
// decides.
func TestSmallPacketsOfTheBrokerRefuseNothingThatFits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.measure("a", 3)
		r.uplink.SetLink(Link{Up: true, Window: 20, MaxPacket: 200})
		sent := 0
		for flights := r.settled(); len(flights) > 0; flights = r.settled() {
			sent += len(flights)
			ack(flights, 0)
		}
		if s := r.store.Stats(); sent != 3 || s.Refused != 0 {
			t.Errorf("%d sent, %d refused", sent, s.Refused)
		}
		r.close()
	})
}

// TestStatusGoesFirst: also if the window has room for one message and a backlog waits.
func TestStatusGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.measure("a", 500)
		r.uplink.Set("t/other", []byte("1"), nil)
		r.uplink.Set("fieldgate/g/status", []byte("online"), nil)
		r.uplink.SetLink(Link{Up: true, Window: 1})
		r.want("status", r.settled())
		r.close()
	})
}

// TestLeaveEndsTheLanesAndLetsTheGoodByePass
func TestLeaveEndsTheLanesAndLetsTheGoodByePass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.BatchMax = 1 })
		r.measure("a", 500)
		r.uplink.SetLink(Link{Up: true, Window: 4})
		flights := r.settled()
		r.uplink.Leave()
		acknowledged := false
		r.uplink.Set("fieldgate/g/status", []byte("offline"), func() { acknowledged = true })
		rest := r.settled()
		ack(flights, 0)
		rest = append(rest, r.settled()...)
		r.want("status", rest)
		ack(rest, 0)
		synctest.Wait()
		if !acknowledged {
			t.Error("nobody was told")
		}
		r.close()
	})
}

// TestReplyThatCannotGoStopsNothing: a topic that the broker refuses, and one that MQTT cannot
// carry.
func TestReplyThatCannotGoStopsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		picky := &picky{}
		r := newRig(t, func(c *Config) { picky.broker = c.Client.(*broker); c.Client = picky })
		r.uplink.SetLink(Link{Up: true, Window: 20})
		synctest.Wait()
		for _, topic := range []string{"bad", "me/1", "me/2"} {
			body := event.EncodeReply(event.Reply{Topic: topic, Payload: []byte(`{"v":1}`)})
			if _, err := r.store.Append(t.Context(), buffer.Events, event.Replies, 0, body); err != nil {
				t.Fatal(err)
			}
		}
		ack(r.settled(), 0x87)
		r.measure("b", 1)
		flights := r.settled()
		r.want("telemetry/b 1-1", flights)
		ack(flights, 0)
		if n := len(r.alarms); n != 0 {
			t.Errorf("%d alarms", n)
		}
		if left := r.close(); left != 0 {
			t.Errorf("%d records are left", left)
		}
	})
}

type picky struct{ *broker }

func (p *picky) Send(m Message, done func(byte, error)) error {
	if m.Topic == "bad" {
		return ErrInvalid
	}
	return p.broker.Send(m, done)
}

// counted counts the rounds of Run.
type counted struct {
	*buffer.Store
	rounds atomic.Int64
}

func (q *counted) Ready() <-chan struct{} { q.rounds.Add(1); return q.Store.Ready() }

// TestProbeIsWaitedForWithoutALoop, and a pause outlives the connection.
func TestProbeIsWaitedForWithoutALoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q *counted
		r := newRig(t, func(c *Config) { q = &counted{Store: c.Queue.(*buffer.Store)}; c.Queue = q })
		r.uplink.SetLink(Link{Up: true, Window: 20})
		synctest.Wait()
		r.measure("a", 1)
		ack(r.settled(), 0x87)
		synctest.Wait()
		r.uplink.SetLink(Link{}) // as mosquitto does after a refusal
		synctest.Wait()
		r.uplink.SetLink(Link{Up: true, Window: 20})
		// The late topic is another one than the refused; what goes to the refused one waits.
		r.want("telemetry/a/late 1-1", r.settled())
		r.measure("a", 1)
		r.want("", r.settled())
		time.Sleep(pauseMin + time.Second)
		probe := r.settled()
		r.want("telemetry/a 2-2", probe)
		before := q.rounds.Load()
		time.Sleep(10 * time.Second)
		if n := q.rounds.Load() - before; n > 20 {
			t.Errorf("%d rounds while the probe is on its way", n)
		}
		ack(probe, 0)
		r.close()
	})
}

// TestDeadLetterThatCannotBeKeptIsTriedAgain: a failing disk ends nothing.
func TestDeadLetterThatCannotBeKeptIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &broken{}
		r := newRig(t, func(c *Config) { q.Store = c.Queue.(*buffer.Store); c.Queue = q })
		q.fails.Store(true)
		r.uplink.SetLink(Link{Up: true, Window: 20})
		synctest.Wait()
		r.measure("a", 1)
		ack(r.settled(), codePayloadInvalid)
		synctest.Wait()
		q.fails.Store(false)
		time.Sleep(pauseMin + time.Second)
		ack(r.settled(), codePayloadInvalid)
		synctest.Wait()
		if s := r.store.Stats(); s.Dead != 1 {
			t.Errorf("%d dead letters", s.Dead)
		}
		r.close()
	})
}

// broken is a store that cannot keep dead letters.
type broken struct {
	*buffer.Store
	fails atomic.Bool
}

func (q *broken) Refuse(ctx context.Context, r []buffer.Record, reason string) error {
	if q.fails.Load() {
		return errors.New("input/output error")
	}
	return q.Store.Refuse(ctx, r, reason)
}

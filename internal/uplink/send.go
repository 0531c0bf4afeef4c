package uplink

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/event"
	"github.com/fieldgate/fieldgate/internal/payload"
)

// packetOverhead is what a PUBLISH has besides topic and payload, generously: header, id, content type, correlation.
const packetOverhead = 128

// send renders a group and hands it to the client; false: the client did not get it, and its outcome waits for settle.
func (u *Uplink) send(ctx context.Context, g *group, link Link) bool {
	m, err := u.render(g)
	broken := err != nil
	if err == nil && len(g.records) > 1 && link.MaxPacket > 0 && len(m.Payload)+len(m.Topic)+len(m.Correlation)+packetOverhead > link.MaxPacket {
		err = ErrTooLarge
	}
	g.topic = m.Topic
	sent, size := u.now(), len(m.Payload)
	if err == nil {
		g.lane.inFlight++
		g.lane.bytes += size
		err = u.Client.Send(m, func(code byte, err error) {
			u.report(outcome{group: g, code: code, err: err, bytes: size, sent: sent})
		})
		if err == nil {
			u.counts.messages.Add(1)
			u.counts.bytes.Add(uint64(size))
			u.remember(g)
			return true
		}
		g.lane.inFlight--
		g.lane.bytes -= size
	}
	// Nothing of it left: the outcome is known now, and nothing of the topic may pass it.
	u.report(outcome{group: g, err: err, broken: broken, local: true, sent: sent})
	return false
}

func (u *Uplink) render(g *group) (Message, error) {
	r := &g.records[0]
	if r.Lane != buffer.Events {
		return u.renderReadings(g)
	}
	if r.Stream == event.Replies {
		reply, err := event.DecodeReply(r.Body)
		return Message{Topic: reply.Topic, Payload: reply.Payload, Correlation: reply.Correlation, ContentType: "application/json"}, err
	}
	kind, fields, err := event.Decode(r.Body)
	if err != nil {
		return Message{}, err
	}
	head := contract.EventHead{V: contract.Version, Gateway: cmp.Or(r.Gateway, u.Gateway), Run: r.Run, N: r.Seq, Up: r.Up.Seconds()}
	if t, ok := u.Clock.Time(r.Kernel, r.Up); ok {
		head.TS = contract.Time{Time: t}
	}
	text, err := json.Marshal(head)
	if err != nil {
		return Message{}, fmt.Errorf("event %s: %w", kind, err)
	}
	if len(fields) > len("{}") {
		text = append(append(text[:len(text)-1], ','), fields[1:]...)
	}
	return Message{Topic: u.Topics.Event(kind), Payload: text, ContentType: "application/json"}, nil
}

func (u *Uplink) renderReadings(g *group) (Message, error) {
	b := u.batch(g.records)
	text, err := u.Encoder.Append(make([]byte, 0, 128+len(g.records)*160), &b)
	return Message{Topic: g.topic, Payload: text, ContentType: u.Encoder.ContentType()}, err
}

func (u *Uplink) batch(records []buffer.Record) payload.Batch {
	b := payload.Batch{Gateway: cmp.Or(records[0].Gateway, u.Gateway), Run: records[0].Run, Sensor: records[0].Stream,
		Readings: make([]payload.Reading, len(records))}
	for i := range records {
		r := &records[i]
		t, _ := u.Clock.Time(r.Kernel, r.Up)
		b.Readings[i] = payload.Reading{Seq: r.Seq, Up: r.Up, Time: t, Body: r.Body}
		if r.SeqTo > 0 {
			x := &b.Readings[i]
			x.SeqTo, x.UpTo = r.SeqTo, r.UpTo
			x.TimeTo, _ = u.Clock.Time(r.Kernel, r.UpTo)
		}
	}
	return b
}

// outcome is what became of a message.
type outcome struct {
	group  *group
	doc    string // instead of group: the topic of a retained document
	code   byte
	err    error
	broken bool // it cannot be rendered
	local  bool // it never reached the client
	bytes  int
	sent   time.Time
}

// report is called from the client's goroutine.
func (u *Uplink) report(o outcome) {
	u.mu.Lock()
	u.outcomes = append(u.outcomes, o) // at most a window of them
	u.mu.Unlock()
	u.poke()
}

// settle tells the store what became of the messages that have an outcome.
func (u *Uplink) settle(ctx context.Context) {
	u.mu.Lock()
	outcomes := u.outcomes
	u.outcomes = nil
	u.mu.Unlock()
	for _, o := range outcomes {
		if o.err == nil {
			u.pacer.seen(u.now().Sub(o.sent))
		}
		if o.group == nil {
			u.settleDoc(o)
			continue
		}
		l := o.group.lane
		if !o.local {
			l.inFlight--
			l.bytes -= o.bytes
		}
		u.settleGroup(ctx, o)
	}
}

func (u *Uplink) settleGroup(ctx context.Context, o outcome) {
	g := o.group
	unrouted := o.code == codeNoSubscribers
	if o.err == nil && o.code < codeRefused && !g.reply() {
		u.routed(g.topic, !unrouted)
	}
	if u.isLoss(g) {
		u.unheard.trying = false
		if !unrouted {
			u.release()
		}
	}
	switch {
	case o.err == nil && o.code < codeRefused && !(unrouted && u.keeps(g)):
		u.delivered(g, unrouted)
		if g.lane.queue == buffer.BacklogQueue {
			u.pacer.acked(o.bytes, u.now().Sub(o.sent))
		}
		u.passed(g.topic)
		return
	case o.err == nil && unrouted && u.isLoss(g):
		u.keepUnheard(g)
		u.passed(g.topic)
		return
	case o.err == nil && o.code != codeTopicInvalid && o.code != codePayloadInvalid && !g.reply():
		u.pause(g, o.code)
		return
	}
	u.undecided(g.topic)
	if o.err != nil && !o.broken && !errors.Is(o.err, ErrTooLarge) && !errors.Is(o.err, ErrInvalid) {
		// The client takes nothing more: until the next connection there is nothing to try.
		if !errors.Is(o.err, ErrEnded) {
			u.Log.Warn("readings cannot be sent on this connection", "topic", g.topic, "err", o.err)
		}
		u.Queue.Release(g.records)
		u.mu.Lock()
		u.link = Link{}
		u.mu.Unlock()
		return
	}
	// The message itself is wrong: halve it until the culprit is alone.
	if n := len(g.records); n > 1 {
		for _, half := range [][]buffer.Record{g.records[:n/2], g.records[n/2:]} {
			g.lane.staged = insert(g.lane.staged, &group{lane: g.lane, topic: g.topic, records: half})
		}
		u.poke()
		return
	}
	reason := fmt.Sprintf("refused with reason code 0x%02x", o.code)
	if o.err != nil {
		reason = o.err.Error()
	}
	u.Log.Warn("message set aside as a dead letter", "topic", g.topic, "stream", g.records[0].Stream, "seq", g.records[0].Seq, "reason", reason)
	if err := u.Queue.Refuse(ctx, g.records, reason); err != nil {
		u.Log.Warn("the dead letter cannot be kept now: it is tried again", "err", err)
		u.pause(g, o.code)
		return
	}
	u.counts.refused.Add(1)
}

// delivered lets the store forget what the broker took. Readings that nobody got go to the ledger.
func (u *Uplink) delivered(g *group, unrouted bool) {
	if g.lane.queue != buffer.EventQueue {
		u.counts.delivered.Add(uint64(len(g.records)))
		if unrouted {
			u.counts.unrouted.Add(uint64(len(g.records)))
			u.Queue.AckUnrouted(g.records)
			return
		}
	}
	u.Queue.Ack(g.records)
}

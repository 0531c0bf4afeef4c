package uplink

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/event"
	"github.com/fieldgate/fieldgate/internal/payload"
)

// packetOverhead is what a PUBLISH has besides topic and payload, generously: header, id, content
// type, correlation.
const packetOverhead = 128

// encodingCost is what the user property of a compressed message takes.
const encodingCost = 24

// send renders a group and hands it to the client; false: the client did not get it, and its
// outcome waits for settle.
func (u *Uplink) send(g *group, link Link) bool {
	m, err := u.fit(g, link)
	o := outcome{group: g, weight: m.size(), sent: u.now()}
	o.announced = link.MaxPacket > 0 && o.weight+packetOverhead > link.MaxPacket
	if err == nil {
		g.lane.inFlight++
		o.bytes = len(m.Payload)
		g.lane.bytes += o.bytes
		u.sizes.trying(o.weight, o.sent)
		err = u.cfg.Client.Send(m, func(code byte, err error) {
			o := o
			o.code, o.err = code, err
			u.report(o)
		})
		if err == nil {
			u.counts.messages.Add(1)
			u.counts.bytes.Add(uint64(o.bytes))
			u.remember(g)
			return true
		}
		g.lane.inFlight--
		g.lane.bytes -= o.bytes
	} else {
		o.broken = true
	}
	// Nothing of it left: the outcome is known now, and nothing of the topic may pass it.
	o.err, o.local = err, true
	u.report(o)
	return false
}

func (u *Uplink) render(g *group) (Message, error) {
	r := g.first()
	if r.Kind != buffer.Events {
		return u.renderReadings(g)
	}
	if r.Stream == event.Replies {
		reply, err := event.DecodeReply(r.Body)
		if u.cfg.Reply != nil {
			reply = u.cfg.Reply(reply)
		}
		return Message{Topic: reply.Topic, Payload: reply.Payload, Correlation: reply.Correlation, ContentType: "application/json", Priority: priorityEvents}, err
	}
	kind, text, err := RenderEvent(u.cfg.Gateway, u.cfg.Clock, &r, g.loss)
	if err != nil {
		return Message{}, err
	}
	return Message{Topic: u.cfg.Topics.Event(kind), Payload: text, ContentType: "application/json", Priority: priorityEvents}, nil
}

// RenderEvent returns the kind and the document of an event in the store. gateway is whose it is if
// the record does not name another; loss, if it is not nil, is the part of its ranges to report.
func RenderEvent(gateway string, times Times, r *buffer.Record, loss []contract.Loss) (kind string, text []byte, err error) {
	kind, fields, err := event.Decode(r.Body)
	if err != nil {
		return "", nil, err
	}
	head := contract.EventHead{V: contract.Version, Gateway: cmp.Or(r.Gateway, gateway), Run: r.Run, N: r.Seq, Up: r.Up.Seconds()}
	if t, ok := times.Time(r.Kernel, r.Up); ok {
		head.TS = contract.Time{Time: t}
	}
	text, err = json.Marshal(head)
	if err == nil && loss != nil {
		fields, err = json.Marshal(contract.LossEvent{Loss: loss})
	}
	if err != nil {
		return "", nil, fmt.Errorf("event %s: %w", kind, err)
	}
	if len(fields) > len("{}") {
		text = append(append(text[:len(text)-1], ','), fields[1:]...)
	}
	return kind, text, nil
}

func (u *Uplink) renderReadings(g *group) (Message, error) {
	b := u.batch(u.records(g))
	m := Message{Topic: g.topic, ContentType: g.form.ContentType()}
	if g.lane.id == buffer.LiveLane {
		m.Priority = priorityLive
	}
	var err error
	u.text, err = g.form.Append(u.text[:0], &b)
	text := u.text
	if c := u.cfg.Compressor; c != nil && err == nil {
		if u.small = c.Append(u.small[:0], text); len(u.small)+encodingCost < len(text) {
			text, m.Encoding = u.small, c.Encoding()
		}
	}
	m.Payload = bytes.Clone(text) // of its size: it stays until it is acknowledged
	return m, err
}

// batch returns readings to render; it is valid until the next call.
func (u *Uplink) batch(records []buffer.Record) payload.Batch {
	b := NewBatch(u.cfg.Gateway, u.cfg.Clock, records, u.rendered[:0])
	u.rendered, b.Labels = b.Readings, u.cfg.Labels[b.Sensor]
	return b
}

// NewBatch returns the records of one sensor and run as a batch to render, its readings appended to
// dst. gateway is whose they are if a record does not name another.
func NewBatch(gateway string, times Times, records []buffer.Record, dst []payload.Reading) payload.Batch {
	first := &records[0]
	for i := range records {
		r := &records[i]
		x := payload.Reading{Seq: r.Seq, Up: r.Up, Body: r.Body}
		x.Time, _ = times.Time(r.Kernel, r.Up)
		if r.SeqTo > 0 {
			x.SeqTo, x.UpTo = r.SeqTo, r.UpTo
			x.TimeTo, _ = times.Time(r.Kernel, r.UpTo)
		}
		dst = append(dst, x)
	}
	return payload.Batch{Gateway: cmp.Or(first.Gateway, gateway), Run: first.Run, Sensor: first.Stream, Readings: dst}
}

// outcome is what became of a message.
type outcome struct {
	group  *group
	doc    string // instead of group: the topic of a retained document
	code   byte
	err    error
	broken bool // it cannot be rendered
	local  bool // it never reached the client
	bytes  int  // of the payload
	weight int  // of the message, as limits count it
	// announced: it is larger than the broker said that it takes.
	announced bool
	own       bool // it is larger than Config.DocumentMax, and was not sent
	sent      time.Time
}

// report is called from the client's goroutine.
func (u *Uplink) report(o outcome) {
	u.mu.Lock()
	u.outcomes = append(u.outcomes, o) // at most a window of them
	u.mu.Unlock()
	u.Wake()
}

// settle tells the store what became of the messages that have an outcome.
func (u *Uplink) settle(ctx context.Context) {
	u.mu.Lock()
	outcomes := u.outcomes
	u.outcomes = nil
	u.mu.Unlock()
	for _, o := range outcomes {
		if o.err == nil {
			u.counts.settled.Add(1)
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

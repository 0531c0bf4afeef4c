package uplink

import (
	"context"
	"errors"
	"fmt"

	"github.com/fieldgate/fieldgate/buffer"
)

// Reason codes of PUBACK, MQTT 5.0 table 2-6.
const (
	codeNoSubscribers  = 0x10
	codeRefused        = 0x80 // and above
	codeTopicInvalid   = 0x90
	codeTooLarge       = 0x95
	codeQuota          = 0x97
	codePayloadInvalid = 0x99
)

// A verdict is what an outcome is about. One is never taken for another: a broker that takes no
// topic of ours must not cost readings, and a reading that cannot be sent must not keep the others.
type verdict int

const (
	accepted   verdict = iota // the message is the broker's
	badTopic                  // whatever is sent there is refused
	badSize                   // a smaller message may pass
	badContent                // something in this message is refused
	poisoned                  // the broker closed at it twice: because of its topic, or of its size
	noVerdict                 // the client takes nothing more on this connection
)

func (o *outcome) verdict() verdict {
	switch {
	case o.broken, errors.Is(o.err, ErrInvalid), o.err == nil && o.code == codePayloadInvalid:
		return badContent
	case errors.Is(o.err, ErrTooLarge), o.err == nil && o.code == codeTooLarge:
		return badSize
	case errors.Is(o.err, ErrRejectedByDisconnect):
		return poisoned
	case o.err != nil:
		return noVerdict
	case o.code >= codeRefused:
		return badTopic
	}
	return accepted
}

// why says what a refusal of a topic is about.
func (o *outcome) why(topic string) string {
	switch o.verdict() {
	case poisoned:
		return fmt.Sprintf("the broker closes the connection at each message to %s: check its access list and its limits", topic)
	case badSize:
		if o.own {
			return fmt.Sprintf("the message to %s has %d bytes with its topic, more than mqtt.message_max allows: raise that", topic, o.weight)
		}
		return fmt.Sprintf("the broker does not accept messages as large as those to %s (%d bytes with the topic): raise its limit", topic, o.weight)
	case badContent:
		if o.err != nil {
			return fmt.Sprintf("messages to %s cannot be sent: %v", topic, o.err)
		}
		return fmt.Sprintf("the broker answers 0x%02x to %s: check what it expects there", o.code, topic)
	}
	remedy := "check its access list"
	switch o.code {
	case codeNoSubscribers:
		remedy = "there is no subscriber, and telemetry.unrouted is hold"
	case codeTopicInvalid:
		remedy = "it does not allow topics of this name (gateway.topic_prefix)"
	case codeQuota:
		remedy = "its quota is exceeded"
	}
	return fmt.Sprintf("the broker answers 0x%02x to %s: %s", o.code, topic, remedy)
}

// settleGroup tells the store what became of a group.
func (u *Uplink) settleGroup(ctx context.Context, o outcome) {
	g, v := o.group, o.verdict()
	unrouted := v == accepted && o.code == codeNoSubscribers
	if v == accepted && !g.reply() {
		u.routed(g.topic, !unrouted)
	}
	if u.isLoss(g) {
		u.unroutedLosses.trying = false
		if !unrouted {
			u.release()
		}
	}
	switch {
	case unrouted && u.isLoss(g) && u.keeps(g):
		u.keepUnrouted(g)
		u.passed(g.topic)
	case unrouted && u.keeps(g):
		u.refuse(g, o.why(g.topic))
	case v == accepted:
		u.sizes.passed(o.weight)
		u.delivered(g, unrouted)
		if g.lane.id == buffer.BacklogLane {
			u.pacer.acked(o.bytes, u.now().Sub(o.sent))
		}
		u.passed(g.topic)
	case errors.Is(o.err, ErrWithdrawn):
		u.undecided(g.topic)
		u.giveBack(g)
	case v == noVerdict:
		u.undecided(g.topic)
		if !errors.Is(o.err, ErrEnded) {
			u.cfg.Log.Warn("readings cannot be sent on this connection", "topic", g.topic, "err", o.err)
		}
		u.giveBack(g)
		u.mu.Lock()
		u.link = Link{} // until the next connection there is nothing to try
		u.mu.Unlock()
	case g.reply():
		u.setAside(ctx, o)
	case v == badTopic:
		u.refuse(g, o.why(g.topic))
	case v == poisoned && u.pieces(g) > 1:
		u.suspectSize(g, o.weight)
	case v == poisoned:
		u.pause(g, o.why(g.topic), poisonMin, poisonMax).alone = true
	default:
		if v == badSize && !o.announced {
			u.sizes.failed(o.weight, u.now())
		}
		u.divide(ctx, o)
	}
}

// divide halves a message that is wrong in itself until the culprit is alone.
func (u *Uplink) divide(ctx context.Context, o outcome) {
	g := o.group
	if n := u.pieces(g); n > 1 {
		g.lane.stageInOrder(u.cut(g, n/2))
		g.lane.stageInOrder(g)
		u.undecided(g.topic)
		u.Wake()
		return
	}
	if u.ledger(g) || u.culprits[g.topic] >= culpritsMax {
		p := u.refuse(g, o.why(g.topic))
		p.alone, p.swap = true, true
		return
	}
	if u.setAside(ctx, o) {
		u.culprits[g.topic]++
		u.undecided(g.topic)
	}
}

// setAside sets a message aside as a dead letter; false: the store cannot keep it now, and it is
// tried again.
func (u *Uplink) setAside(ctx context.Context, o outcome) bool {
	g := o.group
	reason := fmt.Sprintf("refused with reason code 0x%02x", o.code)
	if o.err != nil {
		reason = o.err.Error()
	}
	u.cfg.Log.Warn("message set aside as a dead letter", "topic", g.topic, "stream", g.first().Stream, "seq", g.first().Seq, "reason", reason)
	if err := u.cfg.Queue.Refuse(ctx, u.records(g), reason); err != nil {
		u.cfg.Log.Warn("the dead letter cannot be stored now; the gateway tries again", "err", err)
		u.refuse(g, o.why(g.topic))
		return false
	}
	u.counts.refused.Add(1)
	return true
}

// delivered lets the store forget what the broker took. Readings that nobody got go to the ledger.
func (u *Uplink) delivered(g *group, unrouted bool) {
	if g.lane.id != buffer.EventLane {
		u.counts.delivered.Add(uint64(len(g.pins)))
		if unrouted {
			u.counts.unrouted.Add(uint64(len(g.pins)))
			u.cfg.Queue.AckUnrouted(u.records(g))
			return
		}
	}
	if g.whole != nil {
		if g.whole.left--; g.whole.left > 0 {
			return
		}
	}
	u.cfg.Queue.Ack(u.records(g))
}

package mqtt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

const (
	// suspiciousTime is how soon after the packet that caused it a broker ends a connection, the
	// way there and back included.
	suspiciousTime = 1500 * time.Millisecond
	// resumeTime is the time within which a broker ends a connection because it cannot resume the
	// session.
	resumeTime = 2 * time.Second
	// resumeTries is how many connections in a row must end so before a new session is started.
	resumeTries = 3
	// skipTime is how long a subscription is left out at which connections end.
	skipTime = 10 * time.Minute
)

// A suspicion is what ended connections reveal about the packet that a broker cannot handle. It
// belongs to the supervisor.
//
// Many brokers give their verdict on one topic, filter or size by ending the connection, with or
// without a code, and a client that repeats the packet never gets any further. A link that is
// merely bad ends connections too, but at no packet in particular and without regard to what the
// client does. So nothing is concluded from one end without a code, and the connection that decides
// is a probing one: it starts with a ping, whose answer shows that the link and the session work,
// subscribes next, and then repeats one message at a time.
type suspicion struct {
	probeNext     bool // the next connection is to be
	message       *exchange
	serial        uint64 // of message, since exchanges are used again
	endsAtMessage int    // in a row at message
	// the last connection ended at a message, so that the next one may show more
	fresh bool
	// it ended right after the refusal of a message: some brokers close behind their PUBACK
	refused  bool
	progress bool // it accepted other messages
	// messages given up in a row without one that was accepted in between
	givenUp  int
	narrowed bool // the last connection ended with one more, and there are few
	// connections in a row that ended before the broker said anything in the resumed session
	failedResumes   int
	endsAtSubscribe int  // in a row at a SUBSCRIBE
	oneFilter       bool // subscriptions go one filter per SUBSCRIBE
	skipped         map[int]omission
}

// pending reports whether the next connection is to find something out, so that it should come
// soon.
func (s *suspicion) pending() bool { return s.probeNext || s.failedResumes > 0 || s.fresh || s.refused }

// explained reports whether the last connection ended because of a message that is settled, and the
// broker takes others. Its end is not a reason to wait longer before the next attempt: a user that
// looks for the size that the broker takes needs one connection after the other.
func (s *suspicion) explained() bool { return s.refused && s.progress || s.narrowed }

// An omission is a subscription that is left out, by its place in Config.Subscriptions.
type omission struct {
	until time.Time
	code  ReasonCode
}

// An ending is what a connection was doing when it ended.
type ending struct {
	err          error
	lasted       time.Duration // since CONNACK
	resumed      bool
	gotPacket    bool          // something came after CONNACK
	acked        bool          // a message or a request was answered
	progress     bool          // a message was accepted
	sinceRefusal time.Duration // since the last refusal of one
	probing      bool
	oldest       *exchange     // unacknowledged
	unacked      int           // messages
	sincePublish time.Duration // since the last PUBLISH
	waiting      int           // SUBSCRIBEs of Config.Subscriptions that wait for their answers
	filter       int           // place of the only filter that waits, -1 otherwise
	sinceRequest time.Duration // since the SUBSCRIBE
	sinceAlias   time.Duration // since the last use of a topic alias
}

// endingLocked describes the connection at its end.
func (n *conn) endingLocked() ending {
	s := &n.c.session
	e := ending{
		err: n.err, lasted: n.now() - n.connackAt, resumed: n.negotiated.SessionPresent, probing: n.probing, gotPacket: n.gotPacket, acked: n.lastAck > n.connackAt,
		oldest: s.unacked.head, unacked: s.inFlight(), sincePublish: n.since(n.lastPublish),
		progress: n.progress, sinceRefusal: n.since(n.lastRefusal), sinceAlias: n.since(n.lastAlias), filter: -1, sinceRequest: math.MaxInt64,
	}
	for _, r := range n.c.requests {
		if !r.once || r.id == 0 {
			continue
		}
		e.waiting++
		e.sinceRequest = time.Since(r.sentAt)
		if e.filter = -1; e.waiting == 1 && len(r.subs) == 1 && !r.responses {
			e.filter = r.place
		}
	}
	return e
}

// since returns how long ago t was, forever if it never was.
func (n *conn) since(t time.Duration) time.Duration {
	if t == 0 {
		return math.MaxInt64
	}
	return n.now() - t
}

// endedByPeer reports whether the other side closed the connection, with a DISCONNECT that may be a
// verdict on a packet or without one.
func endedByPeer(err error) bool {
	if re, ok := errors.AsType[*ReasonError](err); ok {
		switch re.Code {
		case packet.UnspecifiedError, packet.MalformedPacket, packet.ProtocolError, packet.ImplementationSpecificError:
			return re.Packet == packet.DISCONNECT.String()
		}
		return isVerdict(err)
	}
	if leaveCode(err) != 0 || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, ErrClosed) {
		return false
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// isVerdict reports whether err is a DISCONNECT whose code is about a packet, not about the
// connection.
func isVerdict(err error) bool {
	re, ok := errors.AsType[*ReasonError](err)
	if !ok || re.Packet != packet.DISCONNECT.String() {
		return false
	}
	switch re.Code {
	case packet.NotAuthorized, packet.TopicFilterInvalid, packet.TopicNameInvalid, packet.PacketTooLarge, packet.QuotaExceeded,
		packet.PayloadFormatInvalid, packet.RetainNotSupported, packet.QoSNotSupported, packet.SharedSubscriptionsNotSupported,
		packet.SubscriptionIDsNotSupported, packet.WildcardSubscriptionsNotSupported:
		return true
	}
	return false
}

// learn draws the conclusions from the end of a connection that the broker had accepted. It runs
// while no connection is there.
func (c *Client) learn(e ending) {
	c.learnAliases(e)
	c.learnResume(e)
	s := &c.suspect
	s.probeNext = s.failedResumes == resumeTries-1
	s.fresh, s.progress, s.narrowed = false, e.progress, false
	if e.progress {
		s.givenUp = 0
	}
	s.refused = endedByPeer(e.err) && e.sinceRefusal <= suspiciousTime
	if !endedByPeer(e.err) {
		return
	}
	switch {
	case e.waiting > 0 && e.sinceRequest <= suspiciousTime:
		c.learnFilter(e)
	case e.oldest != nil && e.sincePublish <= suspiciousTime:
		s.endsAtSubscribe = 0
		c.learnMessage(e)
	default:
		s.endsAtSubscribe = 0
	}
}

// learnMessage looks for the PUBLISH at which connections end.
func (c *Client) learnMessage(e ending) {
	s := &c.suspect
	x := e.oldest
	if x != s.message || x.serial != s.serial {
		s.message, s.serial, s.endsAtMessage = x, x.serial, 0
	}
	s.endsAtMessage++
	s.fresh = true
	verdict := isVerdict(e.err)
	if e.unacked > 1 {
		s.probeNext = s.probeNext || verdict || s.endsAtMessage >= 2
		return
	}
	if !verdict && s.endsAtMessage < 2 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cfg.Log.Warn("the broker ends the connection at a message: giving the message up and starting a new session, so that it is not repeated; what the broker kept for this client is lost",
		"topic", x.msg.Topic, "bytes", len(x.msg.Payload), "err", e.err)
	c.session.settle(x)
	c.settleLocked(x, PublishResult{}, fmt.Errorf("%w: topic %q, %d bytes: %w", ErrRejectedByDisconnect, x.msg.Topic, len(x.msg.Payload), e.err))
	c.facts.restart = true
	s.message, s.endsAtMessage = nil, 0
	s.givenUp++
	s.narrowed = s.givenUp <= eagerAttempts
	s.probeNext = true // there may be more of its kind
}

// learnFilter looks for the SUBSCRIBE at which connections end.
func (c *Client) learnFilter(e ending) {
	s := &c.suspect
	s.endsAtSubscribe++
	s.probeNext = true
	if e.probing && (s.endsAtSubscribe >= 2 || isVerdict(e.err)) || s.oneFilter {
		s.oneFilter = true
	}
	if !s.oneFilter || !e.probing || e.filter < 0 || s.endsAtSubscribe < 2 && !isVerdict(e.err) {
		return
	}
	code := reasonCode(e.err)
	if !code.Failed() {
		code = packet.UnspecifiedError
	}
	if s.skipped == nil {
		s.skipped = make(map[int]omission)
	}
	s.skipped[e.filter] = omission{time.Now().Add(skipTime), code}
	s.endsAtSubscribe = 1 // the next one has only itself to blame
	c.cfg.Log.Warn("the broker ends the connection at a subscription: leaving it out", "filter", c.cfg.Subscriptions[e.filter].Filter,
		"for", skipTime, "err", e.err)
}

// learnResume detects a broker that cannot resume the session: connections to it end at once
// without a packet, even without an answer to the ping of a probing connection, or it acknowledges
// nothing.
func (c *Client) learnResume(e ending) {
	s := &c.suspect
	stuck := errors.Is(e.err, errNoAck) && !e.acked
	mute := endedByPeer(e.err) && e.lasted <= resumeTime && !e.gotPacket
	if !e.resumed || !stuck && !mute {
		s.failedResumes = 0
		return
	}
	c.countFailedResume(e.err)
}

// countFailedResume counts a connection that did not come to anything in a resumed session.
func (c *Client) countFailedResume(err error) {
	s := &c.suspect
	if s.failedResumes++; s.failedResumes < resumeTries {
		s.probeNext = s.failedResumes == resumeTries-1
		return
	}
	s.failedResumes, s.probeNext = 0, false
	c.facts.restart = true
	c.cfg.Log.Warn("the broker cannot resume the session: starting a new one; what the broker kept for this client is lost", "err", err)
}

// learnAliases gives up topic aliases if the broker announced more than it can handle.
func (c *Client) learnAliases(e ending) {
	re, ok := errors.AsType[*ReasonError](e.err)
	if !ok || c.noAliases || re.Packet != packet.DISCONNECT.String() {
		return
	}
	switch re.Code {
	case packet.MalformedPacket, packet.ProtocolError:
		if e.sinceAlias > suspiciousTime {
			return
		}
	case packet.TopicAliasInvalid:
	default:
		return
	}
	c.noAliases = true
	c.cfg.Log.Warn("the broker ends the connection at a topic alias: using none from now on", "err", e.err)
}

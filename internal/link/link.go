// Package link knows the state of the connection to the broker: whether there is one, since when,
// why not, and what of it is kept from working although there is one. It is given the client's
// events, and is asked for the snapshot that health shows. The package also says what the gateway
// subscribes to (Subscriptions), and makes the client what the uplink needs (Sender).
//
// # When the link is not well
//
// A gateway without a connection is not well once an attempt has failed, or outageMin has passed: a
// reload connects again within that. One without a broker in its configuration is not well from the
// start. One that sleeps until its next connection is well. With a connection it is not well
//
//   - until something is acknowledged, if the connection before ended without that,
//   - while a message has been waiting for its acknowledgement for ackMax,
//   - if connections broke flapMin times within flapWithin,
//   - if another client pushes it out, or another gateway says on P/status that it is there,
//     twinMin times within twinWithin (and twice the sleep of a gateway that sleeps),
//   - if the broker does not offer what the gateway needs: a subscription, QoS 1, retained
//     messages, a session that lasts while the gateway sleeps.
package link

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/mqtt"
)

const (
	outageMin  = 10 * time.Second
	ackMax     = 30 * time.Second
	flapMin    = 3
	flapWithin = 5 * time.Minute
	twinMin    = 2
	twinWithin = 10 * time.Minute
)

// Config is what a Link is made of.
type Config struct {
	Gateway  string // its id
	NoBroker string // why there will be no connection, "" if there is a broker
	// Subscriptions are in the order of mqtt.Config.Subscriptions.
	Subscriptions []Subscription
	Online        config.Online
	Up            func() time.Duration // since power-up
	Stats         func() mqtt.Stats    // of the client
}

// A Link follows one client. Its methods may be called from any goroutine.
type Link struct {
	cfg Config

	mu       sync.Mutex
	up       bool
	asleep   bool // until the next attempt
	broker   string
	since    time.Duration // of the connection, or since when there is none
	cause    string        // of the last end
	attempts int           // failed ones since there was a connection
	next     time.Duration // when the next attempt begins; 0: it is under way
	acked    uint64        // when the connection began
	unacked  int           // connections in a row in which nothing was acknowledged
	breaks   []time.Duration
	twin     sightings
	lacks    []string // what the broker does not offer on this connection
	limits   *contract.Limits
	granted  map[string]mqtt.ReasonCode
}

// sightings are the signs of another gateway of the same name.
type sightings struct {
	at []time.Duration
	id string // of it, as P/status has it; "" if that was not seen
}

// New makes a Link that has no connection yet.
func New(c Config) *Link { return &Link{cfg: c, since: c.Up()} }

// Event takes in an event of the client.
func (l *Link) Event(e mqtt.Event) {
	up, acked := l.cfg.Up(), l.cfg.Stats().Acked
	l.mu.Lock()
	defer l.mu.Unlock()
	switch e.Kind {
	case mqtt.Connecting:
		l.next = 0
		if l.asleep {
			l.asleep, l.since = false, up // from now on there should be a connection
		}
	case mqtt.Connected:
		l.up, l.since, l.broker, l.acked = true, up, e.URL, acked
		l.cause, l.attempts, l.next = "", 0, 0
		l.granted = map[string]mqtt.ReasonCode{}
		l.lacks, l.limits = append(lacks(&e.Negotiated), l.shortSession(&e.Negotiated)...), limits(&e.Negotiated)
		for i, code := range e.Negotiated.Granted {
			if i < len(l.cfg.Subscriptions) {
				l.granted[l.cfg.Subscriptions[i].Filter] = code
			}
		}
	case mqtt.TakenOver:
		l.twin.add(up, l.twinWithin())
	case mqtt.Disconnected:
		l.limits = nil
		if l.up {
			l.since = up
			planned := e.Err == nil || errors.Is(e.Err, mqtt.ErrCredentialsExpire)
			if !planned {
				l.breaks = recent(append(l.breaks, up), up, flapWithin)
			}
			if acked > l.acked {
				l.unacked = 0
			} else if !planned {
				l.unacked++
			}
		} else {
			l.attempts++
		}
		l.up, l.cause = false, "not connected"
		if e.Err != nil {
			l.cause = mqtt.Diagnose(e.Err).Cause
		} else if e.Retry > 0 { // Pause
			l.asleep, l.cause = true, ""
		}
		l.next = up + e.Retry
	}
}

// Twin notes that another gateway of the same id said on P/status that it is there.
func (l *Link) Twin(id string) {
	up := l.cfg.Up()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.twin.add(up, l.twinWithin())
	l.twin.id = id
}

// Broker returns the URL of the connection, or of the last one.
func (l *Link) Broker() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.broker
}

// Reachable reports whether there is a connection, or is meant to be none just now.
func (l *Link) Reachable() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.up || l.asleep
}

// Limits returns what the broker allows on the connection, nil if there is none.
func (l *Link) Limits() *contract.Limits {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.limits
}

// Snapshot returns the state of the link, and what is wrong with it, a sentence each.
func (l *Link) Snapshot() (contract.LinkHealth, []string) {
	up, s := l.cfg.Up(), l.cfg.Stats()
	l.mu.Lock()
	defer l.mu.Unlock()
	h := contract.LinkHealth{Connected: l.up, Since: l.since.Seconds(), Reconnects: s.Reconnects, BytesUp: s.BytesOut, BytesDown: s.BytesIn}
	if l.up {
		return h, append(l.troublesLocked(up, s), l.twinTroubleLocked(up)...)
	}
	if l.cfg.NoBroker != "" {
		h.Error = l.cfg.NoBroker
		return h, []string{h.Error}
	}
	h.Asleep, h.Error, h.Attempts = l.asleep, l.cause, l.attempts
	if wait := (l.next - up).Seconds(); wait > 0 {
		h.NextAttempt = &wait
	}
	if l.asleep {
		return h, append(slices.Clone(l.lacks), l.twinTroubleLocked(up)...)
	}
	if outage := up - l.since; l.attempts > 0 || l.unacked > 0 || outage >= outageMin {
		return h, append([]string{l.offlineLocked(outage, up)}, l.twinTroubleLocked(up)...)
	}
	return h, l.twinTroubleLocked(up)
}

// offlineLocked says that there is no connection.
func (l *Link) offlineLocked(outage, up time.Duration) string {
	text := fmt.Sprintf("no connection to the broker for %s", config.DurationText(outage.Round(time.Second)))
	if l.attempts > 0 {
		text += ", " + Attempts(l.attempts)
	}
	if wait := l.next - up; wait > 0 {
		text += fmt.Sprintf(", the next in %s", config.DurationText(wait.Round(time.Second)))
	}
	if l.cause != "" {
		text += ": " + l.cause
	}
	return text
}

// Attempts says how many attempts failed.
func Attempts(n int) string {
	if n == 1 {
		return "1 failed attempt"
	}
	return fmt.Sprintf("%d failed attempts", n)
}

// troublesLocked says what is wrong with a connection.
func (l *Link) troublesLocked(up time.Duration, s mqtt.Stats) (list []string) {
	switch {
	case l.unacked > 0 && s.Acked == l.acked:
		list = append(list, fmt.Sprintf("%d connections in a row ended before the broker acknowledged anything, and this one has acknowledged nothing yet", l.unacked))
	case s.InFlight > 0 && s.OldestInFlight >= ackMax:
		list = append(list, fmt.Sprintf("the broker has left a message unacknowledged for %s", config.DurationText(s.OldestInFlight.Round(time.Second))))
	case len(recent(l.breaks, up, flapWithin)) >= flapMin:
		list = append(list, fmt.Sprintf("the connection broke %d times within %s", len(recent(l.breaks, up, flapWithin)), config.DurationText(flapWithin)))
	}
	list = append(list, l.lacks...)
	for _, n := range l.cfg.Subscriptions {
		if code, ok := l.granted[n.Filter]; ok {
			list = append(list, subscription(n.Filter, n.Without, code)...)
		}
	}
	return list
}

// subscription says what is wrong with the answer to a subscription.
func subscription(filter, without string, code mqtt.ReasonCode) []string {
	switch {
	case code.Failed():
		return []string{fmt.Sprintf("the broker refuses the subscription to %s (%v): %s; check its access list", filter, code, without)}
	case code == 0:
		return []string{fmt.Sprintf("the broker delivers %s with QoS 0 only: what it sends while the link is down is lost", filter)}
	}
	return nil
}

func limits(n *mqtt.Negotiated) *contract.Limits {
	return &contract.Limits{ReceiveMaximum: n.ReceiveMaximum, MaximumPacketSize: n.MaximumPacketSize, KeepAlive: n.KeepAlive.Seconds(),
		SessionExpiry: n.SessionExpiry.Seconds(), MaximumQoS: byte(n.MaximumQoS), Retain: n.RetainAvailable, Wildcards: n.WildcardSubscriptionAvailable,
		TopicAliases: n.TopicAliasMaximum}
}

// lacks says what the broker does not offer.
func lacks(n *mqtt.Negotiated) (list []string) {
	if n.MaximumQoS == mqtt.AtMostOnce {
		list = append(list, "the broker takes messages with QoS 0 only (Maximum QoS): readings need QoS 1, and nothing is delivered")
	}
	if !n.RetainAvailable {
		list = append(list, "the broker keeps no retained messages: clients that subscribe later see no P/status, P/last, P/sensors or P/health until the next one is sent")
	}
	switch w := n.Will; {
	case w == nil:
		list = append(list, "the broker takes no will: P/status does not show that the gateway was lost")
	case !w.Retain && n.RetainAvailable:
		list = append(list, "the broker takes no retained will: for clients that subscribe later P/status does not show that the gateway was lost")
	case w.QoS == mqtt.AtMostOnce && n.MaximumQoS > mqtt.AtMostOnce:
		list = append(list, "the broker takes the will with QoS 0 only: the message that the gateway was lost may not arrive")
	}
	return list
}

// shortSession says that the broker forgets the session while the gateway sleeps.
func (l *Link) shortSession(n *mqtt.Negotiated) []string {
	if asleep := config.WillDelay(l.cfg.Online); n.SessionExpiry < asleep {
		return []string{fmt.Sprintf("the broker keeps the session for %s, and mqtt.online = %q needs %s: while the gateway sleeps, commands are lost and P/status shows that it was lost; "+
			"raise the broker's limit of session expiry, or connect more often", config.DurationText(n.SessionExpiry), l.cfg.Online, config.DurationText(asleep))}
	}
	return nil
}

// twinTroubleLocked says that another gateway has the same id.
func (l *Link) twinTroubleLocked(up time.Duration) []string {
	if l.twin.at = recent(l.twin.at, up, l.twinWithin()); len(l.twin.at) < twinMin {
		return nil
	}
	who := "another client"
	if l.twin.id != "" {
		who = "another gateway (" + l.twin.id + ")"
	}
	return []string{fmt.Sprintf("%s uses the id %q, and each pushes the other off the broker: set gateway.id on one of them", who, l.cfg.Gateway)}
}

func (s *sightings) add(up, within time.Duration) { s.at = recent(append(s.at, up), up, within) }

// twinWithin returns for how long a sign of another gateway counts: one that sleeps sees the other
// once at each connection.
func (l *Link) twinWithin() time.Duration { return twinWithin + twinMin*time.Duration(l.cfg.Online) }

// recent drops what is older than within; it keeps no more than the newest hundred.
func recent(list []time.Duration, up, within time.Duration) []time.Duration {
	list = slices.DeleteFunc(list, func(at time.Duration) bool { return up-at > within })
	return list[max(len(list)-100, 0):]
}

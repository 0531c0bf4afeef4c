package doctor

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/probe"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// A session is a connection that the broker has accepted.
type session struct {
	conn    net.Conn
	in      *bufio.Reader
	present bool // it was there before
	limits  contract.Limits
}

// leave ends the connection. A session that was made by it ends with it.
func (s *session) leave() {
	var bye packet.Disconnect
	if !s.present && s.limits.SessionExpiry > 0 {
		bye.Properties.Present = packet.Props(packet.PropSessionExpiry)
	}
	_, _ = s.conn.Write(bye.Append(nil))
	s.conn.Close()
}

// limits returns what a CONNACK allows, with the standard's defaults.
func limits(m config.MQTT, answer *packet.Connack) contract.Limits {
	q := &answer.Properties
	has := q.Present.Has
	l := contract.Limits{
		ReceiveMaximum: math.MaxUint16, MaximumPacketSize: noPacketLimit, KeepAlive: m.KeepAlive.Seconds(), SessionExpiry: m.SessionExpiry.Seconds(), MaximumQoS: 2,
		Retain:       !has(packet.PropRetainAvailable) || q.RetainAvailable == 1,
		Wildcards:    !has(packet.PropWildcardSubscriptionAvailable) || q.WildcardSubscriptionAvailable == 1,
		TopicAliases: q.TopicAliasMaximum,
	}
	if has(packet.PropReceiveMaximum) {
		l.ReceiveMaximum = q.ReceiveMaximum
	}
	if has(packet.PropMaximumPacketSize) {
		l.MaximumPacketSize = q.MaximumPacketSize
	}
	if has(packet.PropServerKeepAlive) {
		l.KeepAlive = float64(q.ServerKeepAlive)
	}
	if has(packet.PropSessionExpiry) {
		l.SessionExpiry = float64(q.SessionExpiry)
	}
	if has(packet.PropMaximumQoS) {
		l.MaximumQoS = q.MaximumQoS
	}
	return l
}

// noPacketLimit is the largest packet of MQTT.
const noPacketLimit = packet.MaxHeaderSize + packet.MaxLength

// allowed says what the broker allows, and what the gateway allows itself.
func (p *Config) allowed(l *contract.Limits) []Check {
	parts := []string{fmt.Sprintf("%d messages in flight (Receive Maximum)", l.ReceiveMaximum)}
	size := "packets of any size"
	if l.MaximumPacketSize < noPacketLimit {
		size = fmt.Sprintf("packets of %v (Maximum Packet Size)", config.Size(l.MaximumPacketSize))
	}
	parts = append(parts, size, "keep alive "+seconds(l.KeepAlive), "session expiry "+seconds(l.SessionExpiry), fmt.Sprintf("QoS %d", l.MaximumQoS),
		yes(l.Retain, "retained messages"), yes(l.Wildcards, "wildcards"), fmt.Sprintf("%d topic aliases", l.TopicAliases))
	return []Check{{"limits", OK, "the broker allows " + strings.Join(parts, ", "), ""}, p.rates()}
}

// rates says how fast and how much the gateway sends at most, and who said so.
func (p *Config) rates() Check {
	var parts []string
	for _, key := range []string{"publish_rate", "bytes_rate", "message_max"} {
		i := slices.IndexFunc(p.Config.Settings(), func(s config.Setting) bool { return s.Key == "mqtt."+key })
		if i < 0 {
			parts = append(parts, "no "+key)
			continue
		}
		s := p.Config.Settings()[i]
		parts = append(parts, fmt.Sprintf("%s = %s (%s)", key, s.Value, s.From))
	}
	return Check{"rates", OK, strings.Join(parts, ", "), ""}
}

func yes(allowed bool, what string) string {
	if allowed {
		return what
	}
	return "no " + what
}

func seconds(s float64) string {
	if s == math.MaxUint32 {
		return "without end"
	}
	return config.DurationText(time.Duration(s * float64(time.Second)))
}

// samples is how many round trips are measured.
const samples = 5

// line measures the round trip of an acknowledgement. If the broker does not take the message, it
// is that of a ping.
func (p *Config) line(ctx context.Context, broker string, s *session) Check {
	topic := contract.NewTopics(p.Config.Gateway.TopicPrefix, p.Config.Gateway.ID).Reply("doctor")
	why := "the broker takes QoS 0 only"
	var err error
	if s.limits.MaximumQoS > 0 {
		var took time.Duration
		if took, err = s.median(func(id uint16) error { return s.publish(topic, id, p.Now) }); err == nil {
			return Check{"line", OK, fmt.Sprintf("a message is acknowledged after %v (median of %d, QoS 1 to %s)", rounded(took), samples, topic), ""}
		}
		why = fmt.Sprintf("the broker does not take %s (%v)", topic, err)
	}
	if err != nil { // some brokers end the connection after their refusal
		s.leave()
		again, wrong := p.connect(ctx, broker)
		if wrong != nil {
			return Check{"line", Warn, fmt.Sprintf("%s, and then: %v", why, wrong.err), wrong.remedy}
		}
		defer again.leave()
		s = again
	}
	took, err := s.median(func(uint16) error { return s.ping() })
	if err != nil {
		return Check{"line", Warn, fmt.Sprintf("%s, and a ping has no answer: %v", why, err), ""}
	}
	return Check{"line", OK, fmt.Sprintf("a ping is answered after %v (median of %d); %s", rounded(took), samples, why), ""}
}

func rounded(d time.Duration) time.Duration {
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}

// median returns the median duration of an exchange that is made several times.
func (s *session) median(exchange func(id uint16) error) (time.Duration, error) {
	if err := s.conn.SetDeadline(time.Now().Add(step)); err != nil {
		return 0, err
	}
	took := make([]time.Duration, samples)
	for i := range took {
		begin := time.Now()
		if err := exchange(uint16(i + 1)); err != nil {
			return 0, err
		}
		took[i] = time.Since(begin)
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}

// A refusal is the broker's answer to a message that it does not take.
type refusal packet.ReasonCode

func (r refusal) Error() string { return packet.ReasonCode(r).String() }

// publish sends a reply to a command that nobody gave and waits for its PUBACK.
func (s *session) publish(topic string, id uint16, now time.Time) error {
	text, err := json.Marshal(contract.Reply{V: contract.Version, Op: "doctor", State: "succeeded", TS: contract.Time{Time: now}})
	if err != nil {
		return err
	}
	m := packet.Publish{Topic: topic, QoS: 1, ID: id, Payload: text}
	if _, err := s.conn.Write(m.Append(nil)); err != nil {
		return err
	}
	h, body, err := s.await(packet.PUBACK)
	if err != nil {
		return err
	}
	var ack packet.PublishAck
	if err := ack.Decode(h, body); err != nil {
		return err
	}
	if ack.Code.Failed() {
		return refusal(ack.Code)
	}
	return nil
}

func (s *session) ping() error {
	if _, err := s.conn.Write((&packet.Ping{Type: packet.PINGREQ}).Append(nil)); err != nil {
		return err
	}
	_, _, err := s.await(packet.PINGRESP)
	return err
}

// await reads up to a packet of a kind. Commands that the broker delivers meanwhile are not
// acknowledged: they are for the gateway.
func (s *session) await(kind packet.Type) (packet.Header, []byte, error) {
	for {
		h, body, err := probe.Next(s.in)
		switch {
		case err != nil:
			return h, nil, err
		case h.Type == kind:
			return h, body, nil
		case h.Type == packet.DISCONNECT:
			var bye packet.Disconnect
			if err := bye.Decode(h, body); err != nil {
				return h, nil, err
			}
			return h, nil, refusal(bye.Code)
		}
	}
}

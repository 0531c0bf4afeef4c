package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// Durations that turn something off in Config and Disconnect, since 0 means the default there. Any
// other negative duration does the same.
const (
	// NoKeepAlive, as Config.KeepAlive, turns pings off, unless the broker sets a Server Keep
	// Alive.
	NoKeepAlive time.Duration = -1
	// NoSession, as Config.SessionExpiry, ends the session when the connection ends. As
	// Disconnect.SessionExpiry, it ends the session at once.
	NoSession time.Duration = -1
	// NoAckTimeout, as Config.AckTimeout, waits for acknowledgements as long as the connection
	// lasts.
	NoAckTimeout time.Duration = -1
)

// Config describes how a Client connects and behaves. Only URLs is required; the zero value of any
// other field means its default. Functions run on goroutines of the client: see "Callbacks and
// goroutines" in the package documentation. An error of Dial, Credentials, TLS or the Authenticator
// ends the attempt to connect, and the client tries again after the usual delay.
type Config struct {
	// URLs are the addresses of one broker or one cluster, tried in turn: mqtt://host:1883,
	// mqtts://host:8883 (TLS), unix:///path. Ports may be omitted. User information in them is
	// ignored: see Credentials. A client with an empty list (not nil) has no broker yet: it takes
	// messages, and connects nowhere.
	URLs []string
	// Dial opens the transport to u. Nil means Dialer.Dial, for mqtt, mqtts and unix. Package
	// mqtt/ws has WebSocket; other functions may support other schemes. tls is what TLS returned,
	// nil without TLS; Dial may modify it. ctx is for Dial alone: the connection must not end with
	// it. Closing the connection must end blocked reads and writes.
	Dial func(ctx context.Context, u *url.URL, tls *tls.Config) (net.Conn, error)
	// ClientID names the session at the broker. If it is "", the broker assigns one, which the
	// client keeps, also in Session.
	ClientID string
	// CleanStart discards a session that an earlier process left at the broker, and what Session
	// has of it. After that, the client resumes its own session as usual. Mosquitto keeps only
	// those sessions over its own restart that began without CleanStart: a client that uses a new
	// id every time should not set it.
	CleanStart bool
	// KeepAlive is the Keep Alive of MQTT, at most 65535s: default 60s, NoKeepAlive for no pings.
	// The broker may choose another (Negotiated.KeepAlive). The client sends a ping when nothing
	// was sent, or nothing was received, for 3/4 of it. If nothing arrives in the 20s after the
	// ping, the client gives up the connection.
	KeepAlive time.Duration
	// SessionExpiry is how long the broker keeps the session after the connection has ended:
	// default 24h, NoSession if the session is to end with the connection. It is sent in whole
	// seconds, rounded up. The broker may choose another (Negotiated.SessionExpiry).
	SessionExpiry time.Duration
	// ConnectTimeout limits an attempt to connect, from dialing to the broker's answers to
	// Subscriptions: default 30s.
	ConnectTimeout time.Duration
	// AckTimeout is how long messages or requests may be in flight without the broker acknowledging
	// any of them: default 60s, NoAckTimeout for no limit. A message is given the same time from
	// when the broker has acknowledged a later one. After that the client gives up the connection,
	// because messages may only be sent again on a new one [MQTT-4.4.0-1].
	AckTimeout time.Duration
	// Credentials is called before every attempt to connect, except one with credentials that were
	// renewed in time (Credentials.Expires); nil means no user name and no
	// password. If the broker refuses what it returned, the next attempt comes soon, since there
	// may be newer credentials. If it refuses those too, the delay is that after a permanent
	// failure (Backoff).
	Credentials func(ctx context.Context) (Credentials, error)
	// Authenticator carries out enhanced authentication; nil means none. SCRAMSHA256 is one.
	Authenticator Authenticator
	// TLS is called before every attempt, also for URLs without TLS; nil means the system's root
	// certificates and no client certificate. The configuration that it returns belongs to Dial.
	TLS func(ctx context.Context) (*tls.Config, error)
	// UserProperties are sent with every CONNECT.
	UserProperties []UserProperty
	// NoProblemInformation asks the broker to save bytes by leaving reason strings and user
	// properties out of its answers. The client disconnects from a broker that sends them anyway
	// (3.1.2.11.7).
	NoProblemInformation bool
	// Will is called before every attempt; nil, or a nil result, means no will. An invalid will
	// ends the attempt. The result belongs to the client.
	Will func() *Will
	// ReceiveMaximum is how many QoS 1 and 2 messages the broker may send without waiting for
	// acknowledgements: default 1000. A larger value is not always better: some brokers use it as
	// the length of their queue and drop what exceeds it (FlashMQ, online and offline).
	//
	// If a broker sends more, the client stops reading until the handler has caught up, and
	// disconnects (0x93) if that takes longer than 2s. The client also stops reading while the QoS
	// 1 and 2 messages that it has not acknowledged take more than four times MaximumPacketSize.
	// While it does not read, it does not see the broker's acknowledgements either.
	ReceiveMaximum uint16
	// MaximumPacketSize is the largest packet that the client accepts, in bytes, 64 to 268,435,460:
	// default 1 MiB. The client disconnects from a broker that sends a larger one.
	MaximumPacketSize uint32
	// TopicAliasMaximum is how many topic aliases the broker may use: default 0, none.
	TopicAliasMaximum uint16
	// OutboundTopicAliases is how many topic aliases the client may use, as far as the broker
	// allows: default 0, none. The client assigns them to the topics in use. A repeated message
	// carries its full topic.
	OutboundTopicAliases uint16
	// MaxInFlight is how many outbound QoS 1 and 2 messages may be sent and not yet acknowledged,
	// at most 65535: default 1000. The broker's Receive Maximum may lower it.
	MaxInFlight int
	// MaxQueued is how many outbound messages may be accepted without having an outcome yet, those
	// in flight included: default 4096.
	MaxQueued int
	// PublishRate is how many PUBLISH packets the client writes in any second, at most, repeated
	// ones included; 0 for no limit. What has to wait is written in the order of Message.Priority.
	PublishRate float64
	// BytesRate is how many bytes of PUBLISH packets the client writes in any second, at most; 0
	// for no limit. A packet larger than Burst may exceed it by its own size.
	BytesRate int
	// Subscriptions are made on every connection, before Connected is reported. A refusal does not
	// end the connection: see Negotiated.Granted.
	Subscriptions []Subscription
	// FiltersMax is how many filters go into one SUBSCRIBE of Subscriptions, at most; 0 for no
	// limit.
	FiltersMax int
	// ResponseTopic is the topic on which the responses to Request arrive; no other client may use
	// it. The default is "response" below the topic that the broker assigns (Response Information,
	// which the client then asks for). If the broker assigns none, it is "response/" and the client
	// id.
	ResponseTopic string
	// Handler accepts received messages, one at a time, in the order of arrival. If it returns nil,
	// the client sends PUBACK or PUBREC. If it returns an error, the client ends the connection,
	// and the broker delivers the message again. A QoS 0 message is never delivered again: an error
	// is only logged. A nil Handler means that messages are acknowledged and discarded.
	//
	// m and what it refers to are only valid during the call. ctx ends when the client is to end,
	// not with the connection. The handler may publish, preferably with Send: while Publish or
	// Request waits in the handler, no other message is handled. It must not call Close.
	//
	// QoS 0 messages wait for the handler too, at most 256 of them, with at most MaximumPacketSize
	// bytes of payload. Further ones are dropped (Stats.Dropped).
	Handler func(ctx context.Context, m *Message) error
	// ManualAck leaves acknowledging to Message.Ack and needs a Handler. If the handler returns
	// nil, this then only means that it has taken over the message, which it may keep. At most
	// ReceiveMaximum QoS 1 and 2 messages arrive before one of them is acknowledged.
	ManualAck bool
	// OnEvent is called with every change of the connection, in order. It must not block for long,
	// since it delays the next attempt. So it may call Send, but not Publish, Request or Subscribe,
	// which may wait for that attempt, nor Close.
	OnEvent func(Event)
	// Session keeps the session over restarts of the program; with a MessageStore also the messages
	// in flight. Each client needs its own. Nil means that the session is in memory.
	Session SessionStore
	// Redirect decides whether to follow a broker that refers to another one: with code 0x9C for
	// the next attempt only, with 0x9D from then on. Nil means never. Redirect is not called if
	// following would give up TLS, nor after 3 redirections without a stable connection
	// (Backoff.StableAfter). The other broker is expected to have the same session. The credentials
	// are sent to every broker that Redirect allows.
	Redirect func(from, to *url.URL) bool
	// Backoff is the delay between attempts to connect.
	Backoff Backoff
	// Log receives changes of state; nil means no log.
	Log *slog.Logger
}

// Credentials identify the client to the broker. A user name is sent if Username is not empty, a
// password if Password is not nil. The client does not modify Password.
type Credentials struct {
	Username string
	Password []byte
	// Expires is when the credentials expire; zero means never. The client calls Config.Credentials
	// again before that: a minute before, or when 9/10 of the time that was left have passed,
	// whichever is later, but not within 10s of the last time.
	//
	// Without an Authenticator, the client then leaves with code 0x04 and reconnects with the new
	// credentials: the broker publishes a will that has no Delay. If there are none that last
	// longer, the client stays and asks again every 10s, until the present ones expire. With an
	// Authenticator, the client re-authenticates on the connection.
	Expires time.Time
}

// withDefaults returns the configuration with defaults filled in, and the URLs, or all that is
// wrong with it.
func (c Config) withDefaults() (Config, []*url.URL, error) {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	setDefault(&c.KeepAlive, 60*time.Second)
	setDefault(&c.SessionExpiry, 24*time.Hour)
	setDefault(&c.ConnectTimeout, 30*time.Second)
	setDefault(&c.AckTimeout, 60*time.Second)
	setDefault(&c.ReceiveMaximum, 1000)
	setDefault(&c.MaximumPacketSize, 1<<20)
	setDefault(&c.MaxInFlight, 1000)
	setDefault(&c.MaxQueued, 4096)
	c.Backoff = c.Backoff.withDefaults()
	if c.Session == nil {
		c.Session = new(memoryStore)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.ManualAck && c.Handler == nil {
		bad("manual acknowledgement without a handler")
	}
	if c.Handler == nil {
		c.Handler = func(context.Context, *Message) error { return nil }
	}
	if c.OnEvent == nil {
		c.OnEvent = func(Event) {}
	}

	if c.URLs == nil {
		bad("no broker URL")
	}
	var urls []*url.URL
	for _, s := range c.URLs {
		u, err := parseURL(s, c.Dial != nil)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		urls = append(urls, u)
	}
	if !packet.ValidString(c.ClientID) {
		bad("client id %q is not a valid MQTT string", c.ClientID)
	}
	if c.Authenticator != nil && !packet.ValidString(c.Authenticator.Method()) {
		bad("authentication method %.40q is not a valid MQTT string", c.Authenticator.Method())
	}
	if c.KeepAlive > 65535*time.Second {
		bad("keep alive %v is longer than 65535s", c.KeepAlive)
	}
	if c.ConnectTimeout < 0 {
		bad("connect timeout %v is negative", c.ConnectTimeout)
	}
	if c.MaxInFlight < 0 || c.MaxInFlight > 65535 {
		bad("in-flight limit %d is not in 1 to 65535", c.MaxInFlight)
	}
	if c.MaxQueued < 0 {
		bad("queue limit %d is negative", c.MaxQueued)
	}
	if c.FiltersMax < 0 {
		bad("a limit of %d filters is negative", c.FiltersMax)
	}
	if c.PublishRate < 0 || c.BytesRate < 0 {
		bad("a limit of %v messages and %d bytes a second is negative", c.PublishRate, c.BytesRate)
	}
	if c.MaximumPacketSize < 64 || c.MaximumPacketSize > packet.MaxHeaderSize+packet.MaxLength {
		bad("maximum packet size %d is not in 64 to %d", c.MaximumPacketSize, packet.MaxHeaderSize+packet.MaxLength)
	}
	if err := checkProperties(c.UserProperties); err != nil {
		errs = append(errs, err)
	}
	if c.ResponseTopic != "" && !packet.ValidTopic(c.ResponseTopic) {
		bad("response topic %.80q is not a topic name", c.ResponseTopic)
	}
	for _, s := range c.Subscriptions {
		if err := s.check(); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return c, nil, fmt.Errorf("mqtt: configuration: %w", errors.Join(errs...))
	}
	return c, urls, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

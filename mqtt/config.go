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

// Values of Config that turn something off, since 0 means the default there. Any other negative
// duration does the same.
const (
	// NoKeepAlive, as Config.KeepAlive, sends no pings and makes the broker expect none.
	NoKeepAlive time.Duration = -1
	// NoSession, as Config.SessionExpiry, ends the session with its connection; as
	// Disconnect.SessionExpiry it ends the session at once.
	NoSession time.Duration = -1
	// NoAckTimeout, as Config.AckTimeout, waits for acknowledgements for as long as the connection lasts.
	NoAckTimeout time.Duration = -1
)

// Config is how a Client connects and behaves. Only URLs is required; a zero value elsewhere means the
// default.
type Config struct {
	// URLs address one broker or one cluster, tried in turn: mqtt://host:1883, mqtts://host:8883, unix:///path. Ports
	// may be left out. User information in them is ignored: see Credentials.
	URLs []string
	// Dial opens the transport. Nil is Dialer's, for mqtt, mqtts and unix; package mqtt/ws has WebSocket; others may know other
	// schemes. The TLS configuration is nil unless TLS is set; it may be changed. Closing the connection must end
	// blocked reads and writes.
	Dial func(ctx context.Context, u *url.URL, tls *tls.Config) (net.Conn, error)
	// ClientID names the session at the broker; "" asks the broker to assign one, which is kept.
	ClientID string
	// CleanStart discards a session that an earlier process left at the broker. Mosquitto keeps over its own restart only sessions that
	// began without it: a client whose id is new every time does better without.
	CleanStart bool
	// KeepAlive is the longest silence in either direction before a ping: default 60s, NoKeepAlive for none. The broker may shorten it.
	// A dead peer is found after 3/4 of it and at most 20s more.
	KeepAlive time.Duration
	// SessionExpiry is how long the broker keeps the session of a client that is away: default 24h, NoSession
	// for not at all.
	SessionExpiry time.Duration
	// ConnectTimeout bounds an attempt, from dialling to the answers to Subscriptions: default 30s.
	ConnectTimeout time.Duration
	// AckTimeout is how long the broker may leave messages or requests in flight without acknowledging any before the
	// connection is given up: default 60s, NoAckTimeout for ever. Only a new connection may repeat them
	// [MQTT-4.4.0-1].
	AckTimeout time.Duration
	// Credentials is asked before every attempt; nil: none. They are asked for once more, without the long delay, when the broker
	// does not accept them.
	Credentials func(ctx context.Context) (Credentials, error)
	// Authenticator carries out enhanced authentication; nil: none. SCRAMSHA256 is ready to use.
	Authenticator Authenticator
	// TLS is asked before every attempt; nil: the system's roots, no client certificate.
	TLS func(ctx context.Context) (*tls.Config, error)
	// UserProperties go with every CONNECT.
	UserProperties []UserProperty
	// NoProblemInformation asks the broker to leave reason strings and user properties out of its acknowledgements, to save
	// bytes. A broker that sends them all the same is left (3.1.2.11.7).
	NoProblemInformation bool
	// Will is asked before every attempt; nil, or a nil result: none.
	Will func() *Will
	// ReceiveMaximum is how many QoS 1 and 2 messages the broker may send without acknowledgement: default 1000, since there are brokers
	// that take it for the length of their queue and drop what exceeds it (FlashMQ, online and offline). A broker that sends more
	// is not read until the handler has caught up, and left (0x93) when that takes longer than 2s.
	// Memory for received messages is bounded by four times MaximumPacketSize instead: beyond it the connection is not read until the
	// handler has caught up.
	ReceiveMaximum uint16
	// MaximumPacketSize is the largest packet to accept, in bytes: default 1 MiB.
	MaximumPacketSize uint32
	// TopicAliasMaximum is how many topic aliases the broker may use: default 0.
	TopicAliasMaximum uint16
	// OutboundTopicAliases is how many topic aliases the client may use, as far as the broker takes them: default 0. The topics
	// in use get them without further ado; a repetition carries the topic.
	OutboundTopicAliases uint16
	// MaxInFlight is how many QoS 1 and 2 messages may be unacknowledged: default 1000. The broker's Receive
	// Maximum may lower it.
	MaxInFlight int
	// MaxQueued is how many messages may be accepted and not yet settled: default 4096.
	MaxQueued int
	// Subscriptions are made on every connection, before Connected is reported.
	Subscriptions []Subscription
	// ResponseTopic is where answers to Request come; no other client may use it. Default: "response" under the topic that the broker
	// assigns (Response Information, which is asked for), else "response/" and the client id.
	ResponseTopic string
	// Handler accepts received messages, one at a time in the order of arrival. PUBACK or PUBREC follows when it returns nil; an
	// error closes the connection, and the broker delivers the message again. The message and what it refers to are valid during
	// the call only. It may publish. ctx ends with Run. Nil: messages are acknowledged and forgotten.
	Handler func(ctx context.Context, m *Message) error
	// ManualAck leaves acknowledging to Message.Ack: a nil of the handler means no more than that it has the message, which is
	// then its own. At most ReceiveMaximum messages come before one of them is acknowledged.
	ManualAck bool
	// OnEvent reports changes of the connection, in order. It must not block long, since it holds up the next attempt, and must
	// not call Close.
	OnEvent func(Event)
	// Session keeps the session over restarts: its facts, and with a MessageStore also what is on its way; nil: in memory.
	Session SessionStore
	// Redirect decides whether to follow a broker that names another one: with 0x9C for the next attempt, with 0x9D from then on. It is asked
	// only for a transport with TLS where the first has it, and not more than 3 times without a stable connection. The session is
	// expected to be the same there. Nil: never. Credentials go to wherever it allows.
	Redirect func(from, to *url.URL) bool
	// Backoff is the delay between attempts.
	Backoff Backoff
	// Log gets changes of state; nil: none.
	Log *slog.Logger
}

// Credentials prove to the broker who connects. The broker sees a user name where Username is not empty, and a password where Password
// is not nil.
type Credentials struct {
	Username string
	Password []byte
	// Expires is when they end; zero: never. A minute before, or a tenth of their time where that is shorter, but not more often than every 10s,
	// the client asks for new ones and connects anew; the broker sends a will that has no Delay. With an Authenticator
	// it re-authenticates instead.
	Expires time.Time
}

// withDefaults returns the configuration with defaults filled in, and the URLs, or all that is wrong with it.
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

	if len(c.URLs) == 0 {
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

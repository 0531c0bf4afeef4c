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
	// NoKeepAlive, as Config.KeepAlive, turns pings off, unless the broker sets a Server Keep
	// Alive.
	NoKeepAlive time.Duration = -1
	// NoSession, as Config.SessionExpiry, ends the session with its connection; as
	// Disconnect.SessionExpiry it ends the session at once.
	NoSession time.Duration = -1
	// NoAckTimeout, as Config.AckTimeout, waits for acknowledgements as long as the connection
	// lasts.
	NoAckTimeout time.Duration = -1
)

// Config describes how a Client connects and behaves. Only URLs is required; a zero value of any
// other field means its default.
type Config struct {
	// URLs address one broker or one cluster, tried in turn: mqtt://host:1883, mqtts://host:8883,
	// unix:///path. Ports may be omitted. User information in them is ignored: see Credentials.
	URLs []string
	// Dial opens the transport. Nil means Dialer.Dial, for mqtt, mqtts and unix; package mqtt/ws
	// has WebSocket; other functions may support other schemes. The TLS configuration is nil unless
	// TLS is set; Dial may modify it. Closing the connection must end blocked reads and writes.
	Dial func(ctx context.Context, u *url.URL, tls *tls.Config) (net.Conn, error)
	// ClientID names the session at the broker; "" asks the broker to assign one, which is kept.
	ClientID string
	// CleanStart discards a session that an earlier process left at the broker. Mosquitto keeps
	// over its own restart only sessions that began without it: a client that uses a new id every
	// time should not set it.
	CleanStart bool
	// KeepAlive is the longest silence in either direction before a ping: default 60s, NoKeepAlive
	// for no pings. The broker may shorten it. A dead peer is found after 3/4 of it and at most 20s
	// more.
	KeepAlive time.Duration
	// SessionExpiry is how long the broker keeps the session of a client that is not connected:
	// default 24h, NoSession if it is to end with the connection.
	SessionExpiry time.Duration
	// ConnectTimeout limits an attempt to connect, from dialing to the answers to Subscriptions:
	// default 30s.
	ConnectTimeout time.Duration
	// AckTimeout is how long the broker may leave messages or requests in flight without
	// acknowledging any before the connection is given up: default 60s, NoAckTimeout for no limit.
	// Only a new connection may repeat them [MQTT-4.4.0-1].
	AckTimeout time.Duration
	// Credentials is called before every attempt; nil means none. If the broker does not accept
	// them, it is called once more, without the long delay.
	Credentials func(ctx context.Context) (Credentials, error)
	// Authenticator carries out enhanced authentication; nil means none. SCRAMSHA256 is ready to
	// use.
	Authenticator Authenticator
	// TLS is called before every attempt; nil means the system's roots and no client certificate.
	TLS func(ctx context.Context) (*tls.Config, error)
	// UserProperties go with every CONNECT.
	UserProperties []UserProperty
	// NoProblemInformation asks the broker to leave reason strings and user properties out of its
	// acknowledgements, to save bytes. The client disconnects from a broker that sends them anyway
	// (3.1.2.11.7).
	NoProblemInformation bool
	// Will is called before every attempt; nil, or a nil result, means no will.
	Will func() *Will
	// ReceiveMaximum is how many QoS 1 and 2 messages the broker may send without acknowledgement:
	// default 1000, since some brokers use it as the length of their queue and drop what exceeds it
	// (FlashMQ, online and offline). If a broker sends more, the client stops reading until the
	// handler has caught up, and disconnects (0x93) if that takes longer than 2s. The memory for
	// received messages is limited separately, to four times MaximumPacketSize: beyond that the
	// client stops reading until the handler has caught up.
	ReceiveMaximum uint16
	// MaximumPacketSize is the largest packet that the client accepts, in bytes: default 1 MiB.
	MaximumPacketSize uint32
	// TopicAliasMaximum is how many topic aliases the broker may use: default 0.
	TopicAliasMaximum uint16
	// OutboundTopicAliases is how many topic aliases the client may use, as far as the broker
	// allows: default 0. They are assigned to the topics in use automatically; a repeated message
	// carries its topic.
	OutboundTopicAliases uint16
	// MaxInFlight is how many QoS 1 and 2 messages may be unacknowledged: default 1000. The
	// broker's Receive Maximum may lower it.
	MaxInFlight int
	// MaxQueued is how many messages may be accepted and not yet settled: default 4096.
	MaxQueued int
	// PublishRate is how many PUBLISH packets the client writes in any second, at most, repeated
	// ones included; 0 for no limit. What has to wait is written in the order of Message.Priority.
	PublishRate float64
	// BytesRate is how many bytes of PUBLISH packets the client writes in any second, at most; 0
	// for no limit. A packet larger than Burst may exceed it by its own size.
	BytesRate int
	// Subscriptions are made on every connection, before Connected is reported.
	Subscriptions []Subscription
	// ResponseTopic is the topic on which the responses to Request arrive; no other client may use
	// it. Default: "response" under the topic that the broker assigns (Response Information, which
	// is asked for), else "response/" and the client id.
	ResponseTopic string
	// Handler accepts received messages, one at a time in the order of arrival. PUBACK or PUBREC
	// follows when it returns nil; an error closes the connection, and the broker delivers the
	// message again. The message and what it refers to are only valid during the call. The handler
	// may publish. ctx ends with Run. If Handler is nil, messages are acknowledged and discarded.
	Handler func(ctx context.Context, m *Message) error
	// ManualAck leaves acknowledging to Message.Ack: that the handler returns nil only means that
	// it has taken over the message, which it may keep. At most ReceiveMaximum messages arrive
	// before one of them is acknowledged.
	ManualAck bool
	// OnEvent is called with every change of the connection, in order. It must not block for long,
	// since it delays the next attempt, and must not call Close.
	OnEvent func(Event)
	// Session keeps the session over restarts of the program: its facts, and with a MessageStore
	// also the messages in flight. Nil means in memory.
	Session SessionStore
	// Redirect decides whether to follow a broker that names another one: with 0x9C for the next
	// attempt, with 0x9D from then on. It is only called for a transport with TLS if the first
	// broker was reached with TLS, and at most 3 times without a stable connection. The other
	// broker is expected to have the same session. Nil means never. The credentials are sent to
	// every broker that Redirect allows.
	Redirect func(from, to *url.URL) bool
	// Backoff is the delay between attempts.
	Backoff Backoff
	// Log receives changes of state; nil means no log.
	Log *slog.Logger
}

// Credentials identify the client to the broker. A user name is sent if Username is not empty, a
// password if Password is not nil.
type Credentials struct {
	Username string
	Password []byte
	// Expires is when the credentials expire; zero means never. A minute before that, or a tenth of
	// their lifetime if that is shorter, but at most every 10s, the client gets new ones and
	// reconnects; the broker then publishes a will that has no Delay. With an Authenticator the
	// client re-authenticates instead.
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

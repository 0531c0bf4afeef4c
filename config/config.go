package config

import (
	"slices"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
)

// DefaultFile is where the configuration is looked for.
const DefaultFile = "/etc/fieldgate/fieldgate.toml"

// A Config is a checked configuration. docs/configuration.md describes every key for the operator.
type Config struct {
	Gateway   Gateway   `toml:"gateway"`
	Cloud     Cloud     `toml:"cloud"`
	Enrol     Enrol     `toml:"enrol"`
	MQTT      MQTT      `toml:"mqtt"`
	Telemetry Telemetry `toml:"telemetry"`
	Buffer    Buffer    `toml:"buffer"`
	Shadow    Shadow    `toml:"shadow"`
	Commands  Commands  `toml:"commands"`
	Control   Control   `toml:"control"`
	Metrics   Metrics   `toml:"metrics"`
	Page      Page      `toml:"page"`
	// HomeAssistant is a consumer that is told what there is.
	HomeAssistant HomeAssistant `toml:"homeassistant"`
	Sensors       []Sensor      `toml:"sensor"`

	noBroker string   // file that says that there is none yet, "" if there is one
	waits    string   // for an identity, see WithoutBroker
	identity []string // what is to be said of where the default of gateway.id comes from
	platform Platform // the one that Cloud names, zero if it names none
	settings []Setting
	preset   map[string]string // key -> the preset that sets it
}

// Gateway is [gateway].
type Gateway struct {
	ID           string        `toml:"id"`           // default: host name and 6 hex digits of the hashed machine id
	TopicPrefix  string        `toml:"topic_prefix"` // before the id in every topic
	LogLevel     string        `toml:"log_level"`    // of LogLevels
	HealthEvery  time.Duration `toml:"health_every"`
	WaitForClock time.Duration `toml:"wait_for_clock"` // how long sending waits for a synchronised clock
	// ConfirmWithin is how long a program that an upgrade has installed may take to do what the
	// former one could.
	ConfirmWithin time.Duration `toml:"confirm_within"`
	TrustClock    *bool         `toml:"trust_clock"` // take the system's clock as right without asking the kernel; nil: if somebody is known to keep it
	// Labels are what receivers know of the gateway, such as its site, by name.
	Labels   map[string]string `toml:"labels"`
	TimeFrom string            `toml:"time_from"` // where the time comes from if NTP does not reach the board: an https URL or the name of a sensor; "" is nowhere else
}

// Cloud is [cloud].
type Cloud struct {
	Platform string `toml:"platform"` // of the Catalogue's; "" is none: the broker announces its limits
	Thing    string `toml:"thing"`    // what a platform with a registry of devices calls the gateway
	Shadow   string `toml:"shadow"`   // the name of its shadow; "" is the one without a name
}

// Enrol is [enrol]: with what the gateway gets an identity of its own. It has one, and nothing is
// to be done, if TLS.CertFile is set.
type Enrol struct {
	ClaimCert  string            `toml:"claim_cert"` // what may do nothing but enrol
	ClaimKey   string            `toml:"claim_key"`
	Template   string            `toml:"template"`    // of the platform: what it makes of a gateway
	CommonName string            `toml:"common_name"` // in the certificate request; default: the board's serial number
	Parameters map[string]string `toml:"parameters"`  // of the template; SerialNumber is there by default
}

// MQTT is [mqtt].
type MQTT struct {
	URLs               []string      `toml:"urls"` // mqtt, mqtts, ws, wss, unix; all of one broker or cluster; none: there is no broker yet
	ClientID           string        `toml:"client_id"`
	Username           string        `toml:"username"`
	PasswordCredential string        `toml:"password_credential"` // name of a systemd credential
	PasswordFile       string        `toml:"password_file"`
	PasswordEnv        string        `toml:"password_env"`     // name of an environment variable
	PasswordCommand    []string      `toml:"password_command"` // program and arguments; it prints the password
	KeepAlive          time.Duration `toml:"keep_alive"`
	SessionExpiry      time.Duration `toml:"session_expiry"`
	ReconnectMax       time.Duration `toml:"reconnect_max"` // longest pause between two attempts to connect
	Line               string        `toml:"line"`          // of Lines: what it costs to send; "" is nothing
	Online             Online        `toml:"online"`
	PublishRate        float64       `toml:"publish_rate"`    // PUBLISH packets a second; 0: no limit
	BytesRate          Size          `toml:"bytes_rate"`      // of PUBLISH packets, a second; 0: no limit
	MessageMax         Size          `toml:"message_max"`     // bytes of topic and payload, whatever the broker announces; 0: no limit
	DrainDelayMax      time.Duration `toml:"drain_delay_max"` // the backlog waits at random up to this long after a connection
	BytesPerDay        Size          `toml:"bytes_per_day"`   // up and down, of a day in UTC; 0: no limit
	Proxy              string        `toml:"proxy"`           // http or socks5 URL; "" is the environment's, NoProxy is none
	ProxyUsername      string        `toml:"proxy_username"`
	ProxyPasswordFile  string        `toml:"proxy_password_file"`
	TLS                TLS           `toml:"tls"`
}

// TLS is [mqtt.tls]. The files are read again for every connection.
type TLS struct {
	CAFile     string `toml:"ca_file"`   // default: the system's
	CertFile   string `toml:"cert_file"` // with KeyFile: the client's certificate
	KeyFile    string `toml:"key_file"`
	ServerName string `toml:"server_name"` // default: the URL's host
	// ALPN are the protocols to offer (RFC 7301). Config.Protocols has what is in force for a URL.
	ALPN []string `toml:"alpn"`
}

// TopicPart stands in Telemetry.Topic for the topic that readings have in the contract.
const TopicPart = "{topic}"

// Telemetry is [telemetry].
type Telemetry struct {
	Format   string `toml:"format"`    // of the Catalogue's
	Topic    string `toml:"topic"`     // where readings go: ends with TopicPart
	BatchMax int    `toml:"batch_max"` // readings in one message
	Unrouted string `toml:"unrouted"`  // of Unrouted: what PUBACK 0x10 (nobody subscribed) means
	// Linger is how long a live reading waits for others of its sensor, to share a message.
	Linger   time.Duration `toml:"linger"`
	Compress string        `toml:"compress"` // of Compressions
	Last     bool          `toml:"last"`     // the default of Sensor.Last
	Labels   bool          `toml:"labels"`   // each message has the labels of its sensor
}

// Buffer is [buffer].
type Buffer struct {
	Path     string        `toml:"path"`     // default: queue.db in the state directory
	MaxLoss  time.Duration `toml:"max_loss"` // 0: commit before sending
	MaxBytes Size          `toml:"max_bytes"`
	MinFree  Size          `toml:"min_free"`
	WhenFull string        `toml:"when_full"` // of WhenFull
	// Endurance is what the card's maker states that it stands, in bytes written; 0: not known.
	Endurance Size `toml:"endurance"`
}

// Shadow is [shadow].
type Shadow struct {
	Allow    []string      `toml:"allow"` // of ShadowKeys
	EveryMin time.Duration `toml:"every_min"`
	EveryMax time.Duration `toml:"every_max"`
}

// Commands is [commands].
type Commands struct {
	Allow []string `toml:"allow"` // of the Catalogue's
	// ReplyTopics are the topic filters of the Response Topics that replies may go to; none:
	// anything outside of gateway.topic_prefix and of the broker's own topics.
	ReplyTopics []string `toml:"reply_topics"`
}

// Control is [control].
type Control struct {
	Socket string `toml:"socket"` // default: control.sock in the runtime directory
}

// Metrics is [metrics].
type Metrics struct {
	Listen string `toml:"listen"` // a loopback address such as "127.0.0.1:9142"; "" is off
	Values bool   `toml:"values"` // the page has the newest value of each field
}

// Sensor is one [[sensor]].
type Sensor struct {
	Name string `toml:"name"`
	// Template is the [template.NAME] whose keys the sensor has that it does not set itself.
	Template string        `toml:"template"`
	Driver   string        `toml:"driver"`
	Bus      string        `toml:"bus"`
	Every    time.Duration `toml:"every"`
	Timeout  time.Duration `toml:"timeout"` // of one measurement; 0: chosen from Every
	Enabled  bool          `toml:"enabled"`
	Last     bool          `toml:"last"`   // keep the newest reading retained in P/last/<sensor>; default: Telemetry.Last
	Linger   time.Duration `toml:"linger"` // default: Telemetry.Linger
	// Priority, one of Priorities, decides whose readings give way first when the store is full,
	// and whose backlog is sent first.
	Priority string `toml:"priority"`
	// FrozenAfter is after how long without a change in any field the sensor is called frozen. 0:
	// never.
	FrozenAfter time.Duration `toml:"frozen_after"`
	// TTL is the age from which on a reading is of no use any more: it is removed unsent. 0: never.
	TTL      time.Duration          `toml:"ttl"`
	Labels   map[string]string      `toml:"labels"`  // those of the gateway too, of which it may set one again
	Options  any                    `toml:"options"` // a pointer as Spec.Options makes it
	Fields   map[string]FieldFilter `toml:"field"`
	Computed []Computed             `toml:"computed"`
	Spec     drivers.Spec           `toml:"-"` // the driver's entry in the catalogue

	fields []drivers.Field // the driver's that are sent, under their new names; nil while the options have mistakes
}

// SameGateway reports whether two configurations are of the same gateway at the same broker,
// whatever else differs.
func (c *Config) SameGateway(other *Config) bool {
	return slices.Equal(c.MQTT.URLs, other.MQTT.URLs) && c.MQTT.ClientID == other.MQTT.ClientID &&
		c.Gateway.ID == other.Gateway.ID && c.Gateway.TopicPrefix == other.Gateway.TopicPrefix
}

// LowPriority returns the sensors whose priority is low.
func (c *Config) LowPriority() map[string]bool {
	low := map[string]bool{}
	for i := range c.Sensors {
		if c.Sensors[i].Priority == PriorityLow {
			low[c.Sensors[i].Name] = true
		}
	}
	return low
}

// HealthEveryMin and HealthEveryMax bound gateway.health_every, also in the shadow.
const (
	HealthEveryMin = time.Second
	HealthEveryMax = 24 * time.Hour
)

// MaxLossMax is the most that buffer.max_loss may be.
const MaxLossMax = time.Hour

// A Catalogue is what a configuration can name. Those who have it hand it in.
type Catalogue struct {
	Drivers   []drivers.Spec
	Formats   Words             // of telemetry; the first is the default
	Names     map[string]*Names // by format
	Commands  Words             // that [commands] allow may list
	Allowed   []string          // commands that may run unless the configuration says otherwise
	Platforms []Platform
}

func defaults(c Catalogue) Config {
	format := ""
	if len(c.Formats) > 0 {
		format = c.Formats[0].Name
	}
	return Config{
		Gateway: Gateway{
			TopicPrefix: "fieldgate", LogLevel: "info", HealthEvery: time.Minute, WaitForClock: 2 * time.Minute, ConfirmWithin: 10 * time.Minute,
		},
		MQTT:      MQTT{KeepAlive: time.Minute, SessionExpiry: 24 * time.Hour, ReconnectMax: 2 * time.Minute},
		Telemetry: Telemetry{Format: format, Topic: TopicPart, BatchMax: 500, Unrouted: "delivered", Compress: CompressNone, Last: true},
		Buffer:    Buffer{MaxLoss: time.Second, MaxBytes: 256 << 20, MinFree: 64 << 20, WhenFull: "drop-oldest"},
		Shadow:    Shadow{Allow: ShadowKeys.Names(), EveryMin: 100 * time.Millisecond, EveryMax: 24 * time.Hour},
		Commands:  Commands{Allow: slices.Clone(c.Allowed)},

		Metrics:       Metrics{Values: true},
		HomeAssistant: HomeAssistant{Prefix: "homeassistant"},
	}
}

func (s *Sensor) setDefaults() { s.Enabled, s.Priority = true, "normal" }

package contract

import "encoding/json"

// What the gateway reports to the commands on its own machine. diag returns the first to the cloud
// as well.

// LocalStatus is what `fieldgate status --json` prints and the command `diag` returns.
type LocalStatus struct {
	Gateway string   `json:"gateway"`
	Version string   `json:"version"`
	Board   string   `json:"board,omitempty"`  // model; "": the machine does not say it
	System  string   `json:"system,omitempty"` // the operating system
	PID     int      `json:"pid"`
	Broker  string   `json:"broker"`
	Proxy   string   `json:"proxy,omitempty"`  // through which it is reached, without the password
	Limits  *Limits  `json:"limits,omitempty"` // of the connection; nil: there is none
	Clock   string   `json:"clock"`            // whether the time is known, why, and what waits for it
	Config  string   `json:"config"`           // current, last-good
	Problem []string `json:"problems,omitempty"`
	Health  Health   `json:"health"`
	// Newest has what each sensor measured last, after the filters.
	Newest  map[string]Newest `json:"newest,omitempty"`
	Shadow  Reported          `json:"shadow"`
	Origins map[string]string `json:"origins"` // settings that do not come from the file
	// Settings are the keys that cloud.platform and mqtt.line set, and those that say how the line
	// is used.
	Settings []Setting `json:"settings,omitempty"`
	Page     *Page     `json:"page,omitempty"` // the status page; nil: it is off
}

// Page is where the status page is.
type Page struct {
	URL         string `json:"url"`
	Fingerprint string `json:"fingerprint,omitempty"` // SHA-256 of its certificate, as browsers show it; "": it has none
}

// CommandRecord is a command in the ledger.
type CommandRecord struct {
	Op    string
	ID    string
	At    Time   // when it came; zero: the time was not known
	State string // of the reply; "" while it has not ended
	Error string // of the reply
}

// A Setting is a key of the configuration, its value as the file would have it, and where that
// comes from.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	From  string `json:"from"`
}

// Limits are what a broker allows on a connection: what its CONNACK says, and the defaults of MQTT
// where it says nothing.
type Limits struct {
	ReceiveMaximum    uint16  `json:"receive_maximum"`     // messages in flight
	MaximumPacketSize uint32  `json:"maximum_packet_size"` // bytes; 268,435,460: no limit
	KeepAlive         float64 `json:"keep_alive"`          // seconds, the one in use; 0: none
	SessionExpiry     float64 `json:"session_expiry"`      // seconds, the one granted; 0: the session ends with the connection
	MaximumQoS        byte    `json:"maximum_qos"`
	Retain            bool    `json:"retain"`
	Wildcards         bool    `json:"wildcards"` // in subscriptions
	TopicAliases      uint16  `json:"topic_aliases"`
}

// QueueStats is what waits in the queue: `fieldgate queue stats --json`.
type QueueStats struct {
	Readings int64                  `json:"readings"`
	Events   int64                  `json:"events"`
	InFlight int64                  `json:"in_flight"`
	Dead     int64                  `json:"dead_letters"`
	Losses   int64                  `json:"losses"` // entries of the ledger that were not reported yet
	Bytes    int64                  `json:"bytes"`
	MaxBytes int64                  `json:"max_bytes"`
	Sensors  map[string]SensorQueue `json:"sensors"`
}

// SensorQueue is what waits of one sensor.
type SensorQueue struct {
	Readings  int64  `json:"readings"`
	Bytes     int64  `json:"bytes"` // before compression
	Oldest    Time   `json:"oldest"`
	OldestRun string `json:"oldest_run"`
	OldestSeq uint64 `json:"oldest_seq"`
}

// DeadLetter is a message that the broker refused, as it would be sent: a line of
// `fieldgate queue dead-letter list --json`.
type DeadLetter struct {
	ID       int64           `json:"id"`
	Reason   string          `json:"reason"`
	Document json.RawMessage `json:"document"`
}

// A DeadChoice names dead letters: all of them, or some by their ids.
type DeadChoice struct {
	All bool
	IDs []int64
}

// Newest is the last reading of a sensor that was kept.
type Newest struct {
	TS     Time    `json:"ts"`
	Up     float64 `json:"up"`     // seconds since power-up
	Values []Value `json:"values"` // in the order of the sensor
}

// Value is what a field measured.
type Value struct {
	Field string `json:"field"`
	Unit  string `json:"unit,omitempty"`
	Value any    `json:"value"`         // a number, a bool or a text; nil: none
	Bad   string `json:"bad,omitempty"` // why there is none
}

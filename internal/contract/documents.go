package contract

import (
	"encoding/json"
	"time"
)

// Time is a moment as documents have it: RFC 3339 in UTC with milliseconds, or null if the clock is
// not known.
type Time struct{ time.Time }

// TimeFormat is how documents write times.
const TimeFormat = "2006-01-02T15:04:05.000Z"

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return t.UTC().AppendFormat(nil, `"`+TimeFormat+`"`), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*t = Time{}
		return nil
	}
	return json.Unmarshal(b, &t.Time)
}

// States of P/status.
const (
	Online   = "online"
	Sleeping = "sleeping" // an orderly leave; it comes again by itself
	Offline  = "offline"  // an orderly stop
	Lost     = "lost"     // the will
)

// Status is P/status.
type Status struct {
	V       int    `json:"v"`
	State   string `json:"state"`
	Since   Time   `json:"since"`
	Until   *Time  `json:"until,omitempty"` // of Sleeping: when it connects again
	Run     string `json:"run"`
	Store   string `json:"store,omitempty"` // missing while the store cannot be opened, as Boot is
	Boot    uint32 `json:"boot,omitempty"`
	Version string `json:"version"`
}

// Sensor is P/sensors/<sensor>.
type Sensor struct {
	V      int    `json:"v"`
	Sensor string `json:"sensor"`
	Driver string `json:"driver"`
	Bus    string `json:"bus,omitempty"`
	Every  string `json:"every"`
	// Labels are the configuration's, of the gateway and the sensor.
	Labels map[string]string `json:"labels,omitempty"`
	// Fields has the fields by name, as telemetry has them: fields.temperature is one path in both.
	Fields map[string]Field `json:"fields"`
}

// Field describes one field of a sensor: its SenML unit ("" for none) and its type.
type Field struct {
	Unit string `json:"unit,omitempty"`
	Type string `json:"type"`
	Doc  string `json:"doc,omitempty"`
	// Writable fields can be set by the command write.
	Writable bool `json:"writable,omitempty"`
}

// Desired is P/shadow/desired, the cloud's document. It is always whole.
type Desired struct {
	Version uint64          `json:"version"`
	State   json.RawMessage `json:"state"`
}

// Reported is P/shadow/reported.
type Reported struct {
	V              int               `json:"v"`
	Version        uint64            `json:"version"`
	DesiredVersion uint64            `json:"desired_version"`
	State          State             `json:"state"`
	Rejected       map[string]string `json:"rejected"` // path in the desired state -> reason
	TS             Time              `json:"ts"`
}

// State is the part of a shadow that the gateway knows.
type State struct {
	Sensors map[string]SensorState `json:"sensors"`
	Gateway GatewayState           `json:"gateway"`
}

// SensorState is the settings of one sensor. Deadband names only fields that have one.
type SensorState struct {
	Every    string             `json:"every"`
	Enabled  bool               `json:"enabled"`
	Deadband map[string]float64 `json:"deadband,omitempty"`
}

// GatewayState is the settings of the gateway.
type GatewayState struct {
	LogLevel    string `json:"log_level"`
	HealthEvery string `json:"health_every"`
}

// Command is the payload of P/cmd/<command>.
type Command struct {
	ID   string          `json:"id"`
	Args json.RawMessage `json:"args"`
}

// States of a reply.
const (
	Succeeded   = "succeeded"
	Failed      = "failed"      // it ran and did not do what it should
	Rejected    = "rejected"    // it did not run
	Interrupted = "interrupted" // the gateway ended while it ran
)

// Reply is the payload of P/reply/<command> or of a message to the command's Response Topic. Code
// is a stable word for programs, Error a sentence for people.
type Reply struct {
	V      int             `json:"v"`
	ID     string          `json:"id"`
	Op     string          `json:"op"`
	State  string          `json:"state"`
	Code   string          `json:"code,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  string          `json:"error,omitempty"`
	TS     Time            `json:"ts"`
}

// Health is P/health.
type Health struct {
	V         int                     `json:"v"`
	TS        Time                    `json:"ts"`
	Up        float64                 `json:"up"` // seconds since power-up
	Run       string                  `json:"run"`
	Store     string                  `json:"store,omitempty"` // missing while the store cannot be opened, as Boot is
	Boot      uint32                  `json:"boot,omitempty"`
	Version   string                  `json:"version"`
	State     string                  `json:"state"` // ok, degraded
	Reasons   []string                `json:"reasons,omitempty"`
	Alarms    []string                `json:"alarms,omitempty"` // fields beyond their limits
	Queue     QueueHealth             `json:"queue"`
	Link      LinkHealth              `json:"link"`
	Flash     FlashHealth             `json:"flash"`
	ClockSync bool                    `json:"clock_synchronised"`
	CertDays  *float64                `json:"certificate_days_left,omitempty"`
	Sensors   map[string]SensorHealth `json:"sensors"`
}

// QueueHealth says what is kept and how it moves. Rates are readings per second over the last
// minute.
type QueueHealth struct {
	Live           int64    `json:"live"`
	Backlog        int64    `json:"backlog"`
	Events         int64    `json:"events"`
	InFlight       int64    `json:"in_flight"`
	Bytes          int64    `json:"bytes"`
	MaxBytes       int64    `json:"max_bytes"`
	OldestAge      float64  `json:"oldest_age"` // seconds; 0 if nothing waits or the age is not known
	RateIn         float64  `json:"rate_in"`
	RateOut        float64  `json:"rate_out"`
	HoursToFull    *float64 `json:"hours_to_full,omitempty"`    // if it grows
	SecondsToDrain *float64 `json:"seconds_to_drain,omitempty"` // if it shrinks
	BacklogWait    *float64 `json:"backlog_wait,omitempty"`     // seconds until the backlog is sent, because of mqtt.drain_delay_max
	Appended       uint64   `json:"appended"`
	Delivered      uint64   `json:"delivered"`
	Evicted        uint64   `json:"evicted"`
	Expired        uint64   `json:"expired"`
	Thinned        uint64   `json:"thinned"` // became part of a bucket
	Rejected       uint64   `json:"rejected"`
	Refused        uint64   `json:"refused"`
	Unrouted       uint64   `json:"unrouted"`
	Overruns       uint64   `json:"overruns"` // commits that were later than max_loss
}

// LinkHealth is the state of the connection.
type LinkHealth struct {
	Connected  bool    `json:"connected"`
	Asleep     bool    `json:"asleep,omitempty"` // not connected, in order, until NextAttempt
	Since      float64 `json:"since"`            // seconds since power-up when the connection began, or when there was none any more
	Reconnects uint64  `json:"reconnects"`
	BytesUp    uint64  `json:"bytes_up"`
	BytesDown  uint64  `json:"bytes_down"`
	// Of the day and of the month, in UTC, whatever starts of the program they had.
	BytesUpDay     uint64 `json:"bytes_up_day"`
	BytesDownDay   uint64 `json:"bytes_down_day"`
	BytesUpMonth   uint64 `json:"bytes_up_month"`
	BytesDownMonth uint64 `json:"bytes_down_month"`

	Error string `json:"error,omitempty"` // why it is not connected
	// Attempts are those that failed since there was a connection; NextAttempt is in how many
	// seconds the next begins.
	Attempts    int      `json:"attempts,omitempty"`
	NextAttempt *float64 `json:"next_attempt,omitempty"`
}

// FlashHealth says what the store wrote since the program started.
type FlashHealth struct {
	Bytes       uint64       `json:"bytes"`
	BytesPerDay float64      `json:"bytes_per_day"`
	Commits     uint64       `json:"commits"`
	Device      *FlashDevice `json:"device,omitempty"` // if the store lies on one
}

// FlashDevice says what was really written to the store's block device since the program started,
// by everybody: with the file system's journal and what other programs write. Rates are means of
// that time.
type FlashDevice struct {
	Name            string   `json:"name"`
	Bytes           uint64   `json:"bytes"`
	BytesPerDay     float64  `json:"bytes_per_day"`
	BytesPerReading float64  `json:"bytes_per_reading"`
	Years           *float64 `json:"years,omitempty"` // that a new card would last, if its endurance is configured
}

// SensorHealth is the state of one sensor.
type SensorHealth struct {
	State    string  `json:"state"`
	Error    string  `json:"error,omitempty"`
	Since    float64 `json:"since"` // seconds since power-up when it came into this state
	Reads    uint64  `json:"reads"`
	Failures uint64  `json:"failures"`
	Skipped  uint64  `json:"skipped"`
	// Bad names the fields without a value in the last reading, and why they have none: what came
	// and what was expected.
	Bad map[string]string `json:"bad,omitempty"`
	// Flaps is how many changes of state there were within a minute, if they are too many to be
	// reported one by one.
	Flaps int `json:"flaps,omitempty"`
}

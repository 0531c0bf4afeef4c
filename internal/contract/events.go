package contract

// Kinds of events, the last level of P/events/<kind>.
const (
	EventBoot   = "boot"
	EventLoss   = "loss"
	EventClock  = "clock"
	EventSensor = "sensor"
	EventStore  = "store"
	EventAlarm  = "alarm"
	EventConfig = "config"
	EventUpdate = "update"
)

// EventHead begins every event; the fields of its kind follow in the same object. N counts the
// events of a run from 1 without holes, so that missing events are seen as well.
type EventHead struct {
	V       int     `json:"v"`
	Gateway string  `json:"gateway"`
	Run     string  `json:"run"`
	N       uint64  `json:"n"`
	TS      Time    `json:"ts"`
	Up      float64 `json:"up"` // seconds since power-up
}

// How a run ended.
const (
	EndClean   = "clean"
	EndUnclean = "unclean"
)

// BootEvent is P/events/boot: a run began, and how the one before it in its store ended. The runs
// that each name their previous one are a chain; where it forks or breaks, an older copy of the
// store was put back, or a store was lost.
type BootEvent struct {
	Store    string    `json:"store"`
	Boot     uint32    `json:"boot"` // counts the runs of the store
	Version  string    `json:"version"`
	MaxLoss  float64   `json:"max_loss"` // seconds: how much of this run a crash may cost
	Previous *Previous `json:"previous,omitempty"`
}

// Previous is how the run before this one ended. Last holds the last seq of every sensor and Events
// the number of the last event: all that there were after a clean end, what was durable after an
// unclean one.
type Previous struct {
	Run     string            `json:"run"`
	Store   string            `json:"store"` // another one than the event's if the card was cloned since
	Boot    uint32            `json:"boot"`
	Gateway string            `json:"gateway"` // another one than the event's if the gateway was renamed since
	End     string            `json:"end"`
	Last    map[string]uint64 `json:"last"`
	Events  uint64            `json:"events"`
}

// LossEvent is P/events/loss: readings that were removed unsent or that nobody got.
type LossEvent struct {
	Loss []Loss `json:"loss"`
}

// Loss is a range of readings of one sensor; both ends are included. If a damaged store could not
// be read, what it held is not known: then Sensor is empty and the numbers are 0; Run is empty if
// that is not known either.
type Loss struct {
	Run    string `json:"run"`
	Sensor string `json:"sensor"`
	First  uint64 `json:"first"`
	Last   uint64 `json:"last"`
	Count  uint64 `json:"count"`
	Reason string `json:"reason"`
}

// ClockEvent is P/events/clock: the wall time of the power-up whose readings may have been sent
// without a time.
type ClockEvent struct {
	Zero        Time     `json:"zero"`                  // add a reading's "up"
	Runs        []string `json:"runs"`                  // the program's since that power-up
	Source      string   `json:"source"`                // ntp, trusted, https, gnss
	Uncertainty float64  `json:"uncertainty,omitempty"` // of Zero, in seconds; 0: not known
}

// SensorEvent is P/events/sensor: a sensor came into another state.
type SensorEvent struct {
	Sensor string `json:"sensor"`
	State  string `json:"state"`
	Error  string `json:"error,omitempty"`
}

// States of StoreEvent.
const (
	StoreOK       = "ok"        // it commits again
	StoreDegraded = "degraded"  // it does not commit
	StoreNew      = "new"       // its file was made
	StoreSetAside = "set-aside" // it was damaged; another one took its place
	StoreSalvaged = "salvaged"  // what could be read of the damaged one is in the new one
)

// StoreEvent is P/events/store: the store was set aside, created again, or is in trouble.
type StoreEvent struct {
	State  string `json:"state"`
	Detail string `json:"detail,omitempty"`
}

// AlarmEvent is P/events/alarm.
type AlarmEvent struct {
	Alarm  string `json:"alarm"`
	State  string `json:"state"`            // raised, cleared
	Topic  string `json:"topic,omitempty"`  // that it is about
	Sensor string `json:"sensor,omitempty"` // that it is about, and its field
	Field  string `json:"field,omitempty"`
	Value  any    `json:"value,omitempty"` // of the field: a number
	Detail string `json:"detail,omitempty"`
}

// ConfigEvent is P/events/config: which configuration runs. Problems are there when the files are
// wrong and the last good configuration runs instead.
type ConfigEvent struct {
	State    string   `json:"state"` // current, last-good
	Problems []string `json:"problems,omitempty"`
}

// States of UpdateEvent.
const (
	UpdateConfirmed = "confirmed"  // the installed program does what the former one could
	UpdateTakenBack = "taken-back" // it did not, and the former one runs again
)

// UpdateEvent is P/events/update: how the trial of an upgrade ended.
type UpdateEvent struct {
	State   string `json:"state"`
	Version string `json:"version"`          // of the program that runs
	Detail  string `json:"detail,omitempty"` // why it was taken back
}

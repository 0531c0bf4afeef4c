package sampling

import "time"

// A Condition is how a sensor is doing.
type Condition string

const (
	Starting Condition = "starting" // not read yet
	OK       Condition = "ok"       // the last reading succeeded
	Failing  Condition = "failing"  // the last reading failed; Err says why
	Missing  Condition = "missing"  // the device could not be opened; Err says why
	Frozen   Condition = "frozen"   // readings succeed, and no field has changed for Config.FrozenAfter
	Stale    Condition = "stale"    // a call of the driver does not return; Err says which
	Disabled Condition = "disabled" // switched off by its settings
)

// A State is what a sampler knows of its sensor. Times are since power-up.
type State struct {
	Sensor    string
	Condition Condition
	Since     time.Duration // when Condition became what it is
	Err       string        // the newest failure; "" when the condition is none

	Reads    uint64        // successful readings
	LastOK   time.Duration // when the last one was made; 0 before the first
	Failures uint64        // failed attempts to open or to read, also those that a repetition made good
	Skipped  uint64        // multiples of the interval without a reading: an overrun, or back-off
	Filtered uint64        // readings that the filter dropped as nothing new

	Rejected uint64 // readings that the sink did not take
	SinkErr  string // why it did not take the last one; "" when it did
}

// add counts what a worker did.
func (s *State) add(o outcome) {
	s.Reads += o.reads
	s.Failures += o.failures
	s.Skipped += o.skipped
	s.Filtered += o.filtered
	s.Rejected += o.rejected
	if o.reads > 0 {
		s.LastOK = o.lastOK
	}
	if o.stored {
		s.SinkErr = text(o.sinkErr)
	}
}

// turn changes the condition.
func (s *State) turn(c Condition, err error) { s.Condition, s.Err = c, text(err) }

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

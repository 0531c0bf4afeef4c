package sampling

import (
	"fmt"
	"time"
)

// A Condition is the state that a sensor is in.
type Condition string

const (
	Starting Condition = "starting" // not read yet
	OK       Condition = "ok"       // the last reading succeeded
	Failing  Condition = "failing"  // the last reading failed; Err says why
	Missing  Condition = "missing"  // the device could not be opened; Err says why
	// readings succeed, and no field has changed for Config.FrozenAfter
	Frozen Condition = "frozen"
	// readings succeed, and no field has had a value for some of them; Err says why
	Bad Condition = "bad"
	// a call of the driver does not return, or another sensor does not let go of the bus; Err says
	// which
	Stale    Condition = "stale"
	Disabled Condition = "disabled" // switched off by its settings
)

// A State is what a sampler knows of its sensor. Times are since power-up.
type State struct {
	Sensor    string
	Condition Condition
	Since     time.Duration // when Condition became what it is
	Err       string        // the newest failure; "" when the condition is none
	// changes within a minute that were too many to be reported one by one; 0 when they were not
	Flaps int

	// fields without a value in the last reading, and why; nil when it failed. Not to be changed
	Bad map[string]string
	// becomes another when the fields in Bad or the kinds of their faults do
	badSet int

	Reads  uint64        // successful readings
	LastOK time.Duration // when the last one was made; 0 before the first
	// failed attempts to open or to read, also those that a repetition made good
	Failures uint64
	// multiples of the interval without a reading: an overrun, back-off, or a bus that others had
	Skipped  uint64
	Filtered uint64 // readings that the filter dropped as nothing new

	Rejected uint64 // readings that the sink did not take
	SinkErr  string // why it did not take the last one; "" when it did
}

// Trouble returns Err, and that the sensor flaps if it does.
func (s State) Trouble() string {
	switch {
	case s.Flaps == 0:
		return s.Err
	case s.Err == "":
		return fmt.Sprintf("it is flapping, %d changes within a minute", s.Flaps)
	}
	return fmt.Sprintf("it is flapping, %d changes within a minute: %s", s.Flaps, s.Err)
}

// add counts what a worker did.
func (s *State) add(o outcome) {
	s.Reads += o.reads
	s.Failures += o.failures
	s.Skipped += o.skipped
	s.Filtered += o.filtered
	s.Rejected += o.rejected
	if o.reads > 0 {
		s.LastOK, s.Bad, s.badSet = o.lastOK, o.bad, o.badSet
	}
	if o.stored {
		s.SinkErr = text(o.sinkErr)
	}
}

// setCondition changes the condition.
func (s *State) setCondition(c Condition, err error) {
	s.Condition, s.Err = c, text(err)
	if c != OK && c != Frozen && c != Bad {
		s.Bad = nil
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

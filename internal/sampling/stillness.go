package sampling

import (
	"slices"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
)

// stillReadings is how many equal readings there must be, whatever the time between them.
const stillReadings = 3

// A stillness knows for how long the readings of a sensor have been equal.
type stillness struct {
	values  []drivers.Value // of the last reading, as the driver returned them
	changed time.Duration   // when they were first so
	equal   int             // how many readings had them
}

// since takes in the reading made at up and reports whether nothing has changed for a time.
func (s *stillness) since(up time.Duration, values []drivers.Value, after time.Duration) bool {
	if !slices.Equal(s.values, values) {
		s.values = append(s.values[:0], values...)
		s.changed, s.equal = up, 0
	}
	s.equal++
	return s.equal >= stillReadings && up-s.changed >= after
}

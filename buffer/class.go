package buffer

import "time"

// A Priority says which readings of a lane Take returns first, and which are removed last when a
// limit is reached. The zero value is Normal.
type Priority int8

// The priorities of streams of readings.
const (
	Low Priority = iota - 1
	Normal
	High
)

// StreamOptions apply to one stream of readings. A stream without any has the zero value: the
// priority Normal, and it never expires.
type StreamOptions struct {
	Priority Priority

	// TTL is the age, counted from Record.Up, above which a reading is removed instead of taken;
	// its Loss has the Reason "expired". Zero means never. A reading whose age is not known (see
	// Options.PowerUpAge) is kept.
	TTL time.Duration
}

// A class is the events, or the readings of one priority. It has segments, a table and a shelf of
// its own. Classes rise in worth: to make room for one, nothing of a class above it is removed.
type class uint8

const (
	lowClass class = iota
	normalClass
	highClass
	eventClass
	classCount
)

// tables names the tables of the classes.
var tables = [classCount]string{lowClass: "readings_low", normalClass: "readings", highClass: "readings_high", eventClass: "events"}

func (c class) kind() Kind {
	if c == eventClass {
		return Events
	}
	return Readings
}

// A stream numbers its records.
type stream struct {
	name  string
	class class
	last  uint64 // last sequence number assigned
}

// streamLocked returns a stream, which it makes if there is none.
func (s *Store) streamLocked(kind Kind, name string) *stream {
	st := s.streams[kind][name]
	if st == nil {
		st = &stream{name: name, class: s.classOf(kind, name)}
		s.streams[kind][name] = st
	}
	return st
}

func (s *Store) classOf(kind Kind, name string) class {
	if kind == Events {
		return eventClass
	}
	return normalClass + class(s.o.Streams[name].Priority)
}

// expiredLocked reports whether a record is older than its stream permits. If the clock of its
// kernel boot cannot be compared with that of this one, it has no age.
func (s *Store) expiredLocked(seg *segment, it *item, now time.Duration) bool {
	if len(s.ttl) == 0 || seg.class == eventClass {
		return false
	}
	ttl := s.ttl[it.stream]
	if ttl == 0 {
		return false
	}
	if seg.run != s.run && (seg.run.kernel == "" || seg.run.kernel != s.o.KernelBoot) {
		later, ok := s.powerUps[seg.run.kernel]
		if !ok {
			return false
		}
		now += later
	}
	return now-max(it.up, it.upTo) > ttl
}

// learnPowerUps asks for the ages of the kernel boots that have resident records. It is called
// without s.mu, which the caller's function may need.
func (s *Store) learnPowerUps() {
	if len(s.ttl) == 0 || s.o.PowerUpAge == nil {
		return
	}
	var kernels []string
	s.mu.Lock()
	for c := range eventClass {
		last := ""
		for _, seg := range s.shelves[c].segments {
			if k := seg.run.kernel; k != last && k != "" && k != s.o.KernelBoot {
				if _, known := s.powerUps[k]; !known {
					kernels = append(kernels, k)
				}
				last = k
			}
		}
	}
	s.mu.Unlock()
	for _, k := range kernels {
		now := s.o.Up()
		age, ok := s.o.PowerUpAge(k)
		if !ok {
			continue
		}
		s.mu.Lock()
		if len(s.powerUps) >= 64 {
			clear(s.powerUps)
		}
		s.powerUps[k] = age - now
		s.mu.Unlock()
	}
}

package page

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/contract"
)

const (
	points    = 60 // of a field
	pointSpan = time.Minute
	// How many fields have a history; with it, maxHistory is kept.
	maxSeries  = 360
	maxHistory = 256 << 10 // bytes of it all, that of the log included

	maxLosses = 20 // ranges of the ledger
)

// A point is what a field measured in a pointSpan: its bounds. They are NaN if it measured nothing.
type point struct{ low, high float32 }

// A series is the last hour of a field, as a ring.
type series struct {
	field  string
	newest int64 // number of the pointSpan since power-up
	points [points]point
}

// history is what is kept while nobody looks.
type history struct {
	mu       sync.Mutex
	sensors  map[string][]*series
	count    int
	readings uint64
	values   uint64
	names    uint64 // bytes
	link     linkHistory
	losses   []contract.Loss // newest last
}

func newHistory(up time.Duration) *history {
	return &history{sensors: map[string][]*series{}, link: linkHistory{at: up, began: up}}
}

// reading takes in a reading. It allocates with the first one of a sensor only.
func (h *history) reading(sensor string, up time.Duration, values []drivers.Value) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.readings++
	h.values += uint64(len(values))
	list := h.sensors[sensor]
	for i := range values {
		h.names += uint64(len(values[i].Field))
		number, ok := numberOf(&values[i])
		if !ok {
			continue
		}
		s := find(list, values[i].Field, i)
		if s == nil {
			if h.count >= maxSeries {
				continue
			}
			h.count++
			s = &series{field: values[i].Field, newest: int64(up / pointSpan)}
			for k := range s.points {
				s.points[k] = nothing
			}
			list = append(list, s)
			h.sensors[sensor] = list
		}
		s.add(int64(up/pointSpan), float32(number))
	}
}

var nothing = point{float32(math.NaN()), float32(math.NaN())}

// numberOf returns a number, or a switch as 0 or 1.
func numberOf(v *drivers.Value) (float64, bool) {
	switch v.Kind() {
	case drivers.KindFloat, drivers.KindInt:
		return v.Float(), true
	case drivers.KindBool:
		if v.Bool() {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// find returns the series of a field, which mostly is at the place that the field has in a reading.
func find(list []*series, field string, place int) *series {
	if place < len(list) && list[place].field == field {
		return list[place]
	}
	for _, s := range list {
		if s.field == field {
			return s
		}
	}
	return nil
}

func (s *series) add(n int64, v float32) {
	s.advance(n)
	if n < s.newest-points+1 {
		return
	}
	p := &s.points[n%points]
	if math.IsNaN(float64(p.low)) {
		*p = point{v, v}
		return
	}
	p.low, p.high = min(p.low, v), max(p.high, v)
}

// advance makes n the newest point.
func (s *series) advance(n int64) {
	for k := max(s.newest+1, n-points+1); k <= n; k++ {
		s.points[k%points] = nothing
	}
	s.newest = max(s.newest, n)
}

// hour returns the last hour of a field, oldest first; nil if there is none.
func (h *history) hour(sensor, field string, up time.Duration) []point {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := find(h.sensors[sensor], field, 0)
	if s == nil {
		return nil
	}
	s.advance(int64(up / pointSpan))
	out := make([]point, points)
	for i := range out {
		if n := s.newest - points + 1 + int64(i); n >= 0 {
			out[i] = s.points[n%points]
		} else {
			out[i] = nothing
		}
	}
	return out
}

// shape returns what the readings looked like so far.
func (h *history) shape() shape {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := float64(max(h.readings, 1))
	return shape{fields: float64(h.values) / n, names: float64(h.names) / n}
}

// lost takes in ranges of the loss ledger.
func (h *history) lost(l []contract.Loss) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, v := range l[max(len(l)-maxLosses, 0):] {
		if len(h.losses) == maxLosses {
			h.losses = slices.Delete(h.losses, 0, 1)
		}
		h.losses = append(h.losses, v)
	}
}

// newestLosses returns the ranges, newest first.
func (h *history) newestLosses() []contract.Loss {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := slices.Clone(h.losses)
	slices.Reverse(out)
	return out
}

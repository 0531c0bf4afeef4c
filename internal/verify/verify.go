package verify

import (
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/fieldgate/fieldgate/internal/contract"
)

// Key names a sequence: one sensor within one boot of one store of one gateway.
type Key struct {
	Gateway, Store string
	Boot           uint32
	Sensor         string
}

// Result is what is known of one sequence.
type Result struct {
	Key
	Received   uint64  // distinct readings that arrived
	Duplicates uint64  // readings that arrived again, as QoS 1 allows
	Last       uint64  // highest number that is known to exist
	Lost       uint64  // numbers that did not arrive and stand in the ledger
	Missing    []Range // numbers that did not arrive and that nothing explains
	Disorder   uint64  // first arrivals that came after a higher number of the same lane
	End        string  // clean, unclean, or "" while the boot runs or its end was not told
}

// Tracker follows what arrives. It is not safe for use by several goroutines.
type Tracker struct {
	sequences map[Key]*sequence
	ends      map[boot]*contract.Previous
}

type boot struct {
	gateway, store string
	n              uint32
}

type sequence struct {
	received   ranges
	lost       ranges
	duplicates uint64
	disorder   uint64
	high       [2]uint64 // per lane: live, late
}

// New makes a tracker that has seen nothing.
func New() *Tracker {
	return &Tracker{sequences: map[Key]*sequence{}, ends: map[boot]*contract.Previous{}}
}

// telemetry is what the tracker reads of a telemetry message of either format.
type telemetry struct {
	Gateway  string `json:"gateway"`
	Store    string `json:"store"`
	Boot     uint32 `json:"boot"`
	Sensor   string `json:"sensor"`
	Seq      uint64 `json:"seq"` // json-flat
	Readings []item `json:"readings"`
}

type item struct {
	Seq   uint64 `json:"seq"`
	SeqTo uint64 `json:"seq_to"`
}

// Message takes one message in. Topics that are not fieldgate's telemetry, loss or boot events are passed over.
func (t *Tracker) Message(topic string, payload []byte) error {
	levels := strings.Split(topic, "/")
	n := len(levels)
	switch {
	case n >= 2 && levels[n-2] == "telemetry":
		return t.telemetry(payload, 0)
	case n >= 3 && levels[n-3] == "telemetry" && levels[n-1] == "late":
		return t.telemetry(payload, 1)
	case n >= 2 && levels[n-2] == "events" && levels[n-1] == contract.EventLoss:
		return t.loss(payload)
	case n >= 2 && levels[n-2] == "events" && levels[n-1] == contract.EventBoot:
		return t.boot(payload)
	}
	return nil
}

func (t *Tracker) telemetry(payload []byte, lane int) error {
	var m telemetry
	if err := json.Unmarshal(payload, &m); err != nil {
		return fmt.Errorf("telemetry: %w", err)
	}
	if m.Readings == nil {
		m.Readings = []item{{Seq: m.Seq}}
	}
	s := t.sequence(Key{m.Gateway, m.Store, m.Boot, m.Sensor})
	for _, r := range m.Readings {
		if r.Seq == 0 {
			return errors.New("telemetry: a reading without seq")
		}
		last := max(r.Seq, r.SeqTo)
		again := s.received.add(r.Seq, last)
		s.duplicates += again
		if again == 0 && r.Seq < s.high[lane] {
			s.disorder++
		}
		s.high[lane] = max(s.high[lane], last)
	}
	return nil
}

func (t *Tracker) loss(payload []byte) error {
	var m struct {
		contract.EventHead
		contract.LossEvent
	}
	if err := json.Unmarshal(payload, &m); err != nil {
		return fmt.Errorf("loss event: %w", err)
	}
	for _, l := range m.Loss {
		if l.Sensor == "" {
			continue // what a damaged store held is not known: it explains nothing
		}
		if l.First == 0 || l.Last < l.First {
			return fmt.Errorf("loss event: %s has the range %d to %d", l.Sensor, l.First, l.Last)
		}
		t.sequence(Key{m.Gateway, l.Store, l.Boot, l.Sensor}).lost.add(l.First, l.Last)
	}
	return nil
}

func (t *Tracker) boot(payload []byte) error {
	var m struct {
		contract.EventHead
		contract.BootEvent
	}
	if err := json.Unmarshal(payload, &m); err != nil {
		return fmt.Errorf("boot event: %w", err)
	}
	if m.Previous != nil {
		t.ends[boot{m.Gateway, m.Previous.Store, m.Previous.Boot}] = m.Previous
		for sensor := range m.Previous.Last {
			t.sequence(Key{m.Gateway, m.Previous.Store, m.Previous.Boot, sensor})
		}
	}
	return nil
}

func (t *Tracker) sequence(k Key) *sequence {
	s := t.sequences[k]
	if s == nil {
		s = &sequence{}
		t.sequences[k] = s
	}
	return s
}

// Results returns what is known of every sequence, ordered by key.
func (t *Tracker) Results() []Result {
	out := make([]Result, 0, len(t.sequences))
	for k, s := range t.sequences {
		r := Result{Key: k, Received: s.received.count(), Duplicates: s.duplicates, Disorder: s.disorder,
			Last: max(s.received.last(), s.lost.last())}
		if end := t.ends[boot{k.Gateway, k.Store, k.Boot}]; end != nil {
			r.End = end.End
			r.Last = max(r.Last, end.Last[k.Sensor])
		}
		explained := append(ranges(nil), s.received...)
		for _, l := range s.lost {
			r.Lost += (l.Last - l.First + 1) - explained.add(l.First, l.Last)
		}
		r.Missing = explained.holes(r.Last)
		out = append(out, r)
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := out[i].Key, out[j].Key
		if a.Gateway != b.Gateway {
			return a.Gateway < b.Gateway
		}
		if a.Store != b.Store {
			return a.Store < b.Store
		}
		if a.Boot != b.Boot {
			return a.Boot < b.Boot
		}
		return a.Sensor < b.Sensor
	})
	return out
}

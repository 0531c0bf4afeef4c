package verify

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/fieldgate/fieldgate/internal/contract"
)

// Key names a sequence: one sensor within one boot of one store of one gateway.
type Key struct {
	Gateway string `json:"gateway"`
	Store   string `json:"store"`
	Boot    uint32 `json:"boot"`
	Sensor  string `json:"sensor"`
}

// Tracker follows what arrives. It is not safe for use by several goroutines. Its memory grows with the number of sequences and
// of their holes, not with that of readings.
type Tracker struct {
	// Partial is for whoever did not listen from the beginning: of a boot that was under way the first number that arrives is
	// the first that is expected.
	Partial bool

	sequences map[Key]*sequence
	boots     map[boot]*bootState
	first     map[[2]string]uint32 // the boot of each gateway and store of which something was heard first
}

type boot struct {
	gateway, store string
	n              uint32
}

// A bootState is what is known of one start of a gateway's program.
type bootState struct {
	began   bool               // its first reading is expected: it was listened to from the beginning
	heard   bool               // a reading of it arrived
	end     *contract.Previous // as a later boot tells
	events  ranges
	unknown uint64 // losses that cannot be counted
}

// A sequence is what arrived of one Key, as numbers.
type sequence struct {
	base       uint64 // the first number that arrived
	received   ranges
	thinned    ranges // the part of it that came as the mean of several
	lost       ranges // as the ledger tells
	duplicates uint64
	disorder   uint64
	high       [2]uint64 // per lane: live, late
}

// New makes a tracker that has seen nothing.
func New() *Tracker {
	return &Tracker{sequences: map[Key]*sequence{}, boots: map[boot]*bootState{}, first: map[[2]string]uint32{}}
}

// The lanes of telemetry, within each of which readings keep their order.
const (
	live = iota
	late
	unknownLane // of a line without a topic
)

// telemetry is what the tracker reads of a telemetry message of either format.
type telemetry struct {
	Gateway  string `json:"gateway"`
	Store    string `json:"store"`
	Boot     uint32 `json:"boot"`
	Sensor   string `json:"sensor"`
	item            // json-flat
	Readings []item `json:"readings"`
}

type item struct {
	Seq   uint64 `json:"seq"`
	SeqTo uint64 `json:"seq_to"`
}

// Message takes one message in. Topics that are not fieldgate's telemetry or events are passed over. A message that cannot be read
// changes nothing and is an error.
func (t *Tracker) Message(topic string, payload []byte) error {
	levels := strings.Split(topic, "/")
	n := len(levels)
	switch {
	case n >= 2 && levels[n-2] == "telemetry":
		return t.telemetry(payload, live)
	case n >= 3 && levels[n-3] == "telemetry" && levels[n-1] == "late":
		return t.telemetry(payload, late)
	case n >= 2 && levels[n-2] == "events":
		return t.event(payload)
	}
	return nil
}

func (t *Tracker) telemetry(payload []byte, lane int) error {
	var m telemetry
	if err := json.Unmarshal(payload, &m); err != nil {
		return fmt.Errorf("telemetry: %w", err)
	}
	if m.Readings == nil {
		m.Readings = []item{m.item}
	}
	for _, r := range m.Readings {
		if r.Seq == 0 || r.SeqTo != 0 && r.SeqTo < r.Seq {
			return errors.New("telemetry: a reading without a proper seq")
		}
	}
	s := t.sequence(Key{m.Gateway, m.Store, m.Boot, m.Sensor})
	t.boot(boot{m.Gateway, m.Store, m.Boot}).heard = true
	for _, r := range m.Readings {
		last := max(r.Seq, r.SeqTo)
		if s.base == 0 || r.Seq < s.base && lane == late && len(s.received) == 0 {
			s.base = r.Seq
		}
		if r.SeqTo > r.Seq {
			s.thinned.add(r.Seq, last)
		}
		again := s.received.add(r.Seq, last)
		s.duplicates += again
		if lane == unknownLane {
			continue
		}
		if again == 0 && r.Seq < s.high[lane] {
			s.disorder++
		}
		s.high[lane] = max(s.high[lane], last)
	}
	return nil
}

// event takes in what an event of any type tells of its number, of losses, and of how the boot before ended.
func (t *Tracker) event(payload []byte) error {
	var m struct {
		contract.EventHead
		contract.LossEvent
		Version  *string            `json:"version"` // a boot event has it
		Previous *contract.Previous `json:"previous"`
	}
	if err := json.Unmarshal(payload, &m); err != nil {
		return fmt.Errorf("event: %w", err)
	}
	for _, l := range m.Loss {
		if l.Sensor != "" && (l.First == 0 || l.Last < l.First) {
			return fmt.Errorf("loss event: %s has the range %d to %d", l.Sensor, l.First, l.Last)
		}
	}
	b := t.boot(boot{m.Gateway, m.Store, m.Boot})
	if m.N > 0 {
		b.events.add(m.N, m.N)
	}
	for _, l := range m.Loss {
		if l.Sensor == "" {
			b.unknown++ // what a damaged store held
			continue
		}
		t.sequence(Key{m.Gateway, l.Store, l.Boot, l.Sensor}).lost.add(l.First, l.Last)
	}
	if m.Version != nil && !b.heard && m.Boot > t.first[[2]string{m.Gateway, m.Store}] {
		b.began = true // and not an event that a later boot sends again
	}
	if m.Previous != nil {
		t.boot(boot{m.Gateway, m.Previous.Store, m.Previous.Boot}).end = m.Previous
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
		t.boot(boot{k.Gateway, k.Store, k.Boot})
	}
	return s
}

func (t *Tracker) boot(k boot) *bootState {
	b := t.boots[k]
	if b == nil {
		b = &bootState{}
		t.boots[k] = b
		if store := [2]string{k.gateway, k.store}; t.first[store] == 0 {
			t.first[store] = k.n
		}
	}
	return b
}

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
	unread    []string             // the first messages that could not be read
	unreadN   uint64
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

// maxSeq is beyond what any sensor can reach.
const maxSeq = 1 << 62

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
	Seq   uint64        `json:"seq"`
	SeqTo uint64        `json:"seq_to"`
	TS    contract.Time `json:"ts"`
	Up    *float64      `json:"up"`
}

func (i *item) moment() moment {
	switch {
	case !i.TS.IsZero():
		return moment{sinceEpoch, float64(i.TS.UnixMilli()) / 1000}
	case i.Up != nil:
		return moment{sincePowerUp, *i.Up}
	}
	return moment{}
}

// Message takes one message in. Topics that are not fieldgate's telemetry or events are passed over. A message that cannot be read
// changes nothing and is an error, which the report tells too.
func (t *Tracker) Message(topic string, payload []byte) error {
	if err := t.message(topic, payload); err != nil {
		return t.notRead(topic, err)
	}
	return nil
}

func (t *Tracker) message(topic string, payload []byte) error {
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

// maxUnread is how many messages that could not be read are told of.
const maxUnread = 5

// notRead notes what could not be read, and returns that as an error.
func (t *Tracker) notRead(where string, err error) error {
	err = fmt.Errorf("%s: %w", where, err)
	if t.unreadN++; len(t.unread) < maxUnread {
		t.unread = append(t.unread, err.Error())
	}
	return err
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
		if r.Seq == 0 || r.Seq > maxSeq || r.SeqTo > maxSeq || r.SeqTo != 0 && r.SeqTo < r.Seq {
			return errors.New("telemetry: a reading without a proper seq")
		}
	}
	s := t.sequence(Key{m.Gateway, m.Store, m.Boot, m.Sensor})
	b := t.boot(boot{m.Gateway, m.Store, m.Boot})
	b.heard = true
	for _, r := range m.Readings {
		last := max(r.Seq, r.SeqTo)
		if s.base == 0 {
			s.base = r.Seq
		}
		if r.SeqTo > r.Seq {
			s.thinned.add(r.Seq, last)
		}
		again := s.received.add(r.Seq, last)
		s.duplicates += again
		at := r.moment()
		s.note(r.Seq, at)
		b.newest[at.base] = max(b.newest[at.base], at.seconds)
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

// An eventMessage is what the tracker reads of an event of any type.
type eventMessage struct {
	contract.EventHead
	contract.LossEvent
	Version  *string            `json:"version"` // a boot event has it
	MaxLoss  float64            `json:"max_loss"`
	Previous *contract.Previous `json:"previous"`
}

// event takes in what an event tells of its number, of losses, and of how the boot before ended.
func (t *Tracker) event(payload []byte) error {
	var m eventMessage
	if err := json.Unmarshal(payload, &m); err != nil {
		return fmt.Errorf("event: %w", err)
	}
	for _, l := range m.Loss {
		if l.Sensor != "" && (l.First == 0 || l.Last < l.First || l.Last > maxSeq) {
			return fmt.Errorf("loss event: %s has the range %d to %d", l.Sensor, l.First, l.Last)
		}
	}
	b := t.boot(boot{m.Gateway, m.Store, m.Boot})
	if m.N > 0 && b.events.add(m.N, m.N) > 0 {
		return nil // it came twice
	}
	for _, l := range m.Loss {
		if l.Sensor == "" || l.Count == 0 {
			b.unknown += max(l.Count, 1) // what a damaged store held
		}
		if l.Sensor != "" {
			t.sequence(Key{m.Gateway, l.Store, l.Boot, l.Sensor}).lose(l)
		}
	}
	if m.Version != nil {
		b.maxLoss = m.MaxLoss
		b.opens = m.Previous == nil || m.Previous.Store != m.Store
		b.began = b.began || !b.heard && m.Boot > t.first[[2]string{m.Gateway, m.Store}] // and not an event that a later boot sends again
		t.replaces(m.Gateway, m.Store)
	}
	if m.Previous != nil {
		t.boot(boot{m.Gateway, m.Previous.Store, m.Previous.Boot}).ended(m.Previous)
		for sensor := range m.Previous.Last {
			t.sequence(Key{m.Gateway, m.Previous.Store, m.Previous.Boot, sensor})
		}
	}
	return nil
}

// replaces notes that a boot of a store began: the newest boots of the gateway's other stores that were heard before are over.
func (t *Tracker) replaces(gateway, store string) {
	newest := map[string]boot{}
	for k := range t.boots {
		if k.gateway == gateway && k.store != store && k.n >= newest[k.store].n {
			newest[k.store] = k
		}
	}
	for _, k := range newest {
		t.boots[k].replaced = true
	}
}

func (t *Tracker) sequence(k Key) *sequence {
	s := t.sequences[k]
	if s == nil {
		s = &sequence{starts: map[uint64]moment{}}
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

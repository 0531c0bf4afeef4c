package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"github.com/fieldgate/fieldgate/internal/compress"
	"strings"

	"github.com/fieldgate/fieldgate/internal/contract"
)

// Key names a sequence: one sensor within one run of one gateway.
type Key struct {
	Gateway string `json:"gateway"` // that the run began with
	Run     string `json:"run"`
	Sensor  string `json:"sensor"`
}

// seqKey is a Key without the gateway: a run is of one gateway, no matter who reports it.
type seqKey struct{ run, sensor string }

// Tracker follows what arrives. It is not safe for use by several goroutines. Its memory grows with
// the number of sequences and of their holes, not with that of readings.
type Tracker struct {
	// Partial is for a receiver that did not listen from the beginning: of a boot that was under
	// way the first number that arrives is the first that is expected.
	Partial bool

	sequences map[seqKey]*sequence
	runs      map[string]*runState
	spoke     int                        // counts for runState.first and seen
	status    map[string]contract.Status // P/status of each gateway
	outages   []Outage
	unread    []string // the first messages that could not be read
	unreadN   uint64
}

// New makes a tracker that has seen nothing.
func New() *Tracker {
	return &Tracker{sequences: map[seqKey]*sequence{}, runs: map[string]*runState{}, status: map[string]contract.Status{}}
}

// The lanes of telemetry, within each of which readings keep their order.
const (
	live = iota
	late
	unknownLane // of a line without a topic
)

// maxSeq is beyond what any sensor can reach.
const maxSeq = 1 << 62

// telemetry is what the tracker reads of a telemetry message of any format.
type telemetry struct {
	Gateway  string `json:"gateway"`
	Run      string `json:"run"`
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

// Message takes one message in. Topics that are not fieldgate's telemetry, events or status are
// passed over. A message that cannot be read changes nothing and is an error, which is in the
// report as well.
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
		return t.compressed(payload, live)
	case n >= 3 && levels[n-3] == "telemetry" && (levels[n-1] == "late" || levels[n-1] == "undated"):
		return t.compressed(payload, late)
	case n >= 2 && levels[n-2] == "events":
		return t.event(payload)
	case n >= 2 && levels[n-1] == "status":
		return t.present(levels[n-2], payload)
	}
	return nil
}

// maxPayload is the largest payload of telemetry, in bytes, once it is not compressed.
const maxPayload = 64 << 20

// compressed takes in telemetry that may be compressed.
func (t *Tracker) compressed(payload []byte, lane int) error {
	text, err := compress.Decode(payload, maxPayload)
	if err != nil {
		return err
	}
	return t.telemetry(text, lane)
}

// maxUnread is how many messages that could not be read are kept to be shown.
const maxUnread = 5

// notRead notes what could not be read, and returns that as an error.
func (t *Tracker) notRead(where string, err error) error {
	err = fmt.Errorf("%s: %w", where, err)
	if t.unreadN++; len(t.unread) < maxUnread {
		t.unread = append(t.unread, err.Error())
	}
	return err
}

// readTelemetry reads a message of any format.
func readTelemetry(payload []byte) (m telemetry, err error) {
	if text := bytes.TrimLeft(payload, " \t\r\n"); len(text) > 0 && text[0] != '{' {
		return lineProtocol(text)
	}
	if err := json.Unmarshal(payload, &m); err != nil {
		return m, fmt.Errorf("telemetry: %w", err)
	}
	return m, nil
}

func (t *Tracker) telemetry(payload []byte, lane int) error {
	m, err := readTelemetry(payload)
	if err != nil {
		return err
	}
	if m.Readings == nil {
		m.Readings = []item{m.item}
	}
	for _, r := range m.Readings {
		if r.Seq == 0 || r.Seq > maxSeq || r.SeqTo > maxSeq || r.SeqTo != 0 && r.SeqTo < r.Seq {
			return errors.New("telemetry: a reading without a valid seq")
		}
	}
	if m.Run == "" {
		return errors.New("telemetry: a message without a run")
	}
	b := t.speaks(m.Run, m.Gateway)
	b.heard = true
	if lane != late {
		t.sees(b)
	}
	s := t.sequence(m.Run, m.Sensor, m.Gateway)
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
		s.check(r.Seq, at)
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

// event takes in what an event says of its number, of losses, and of how the run before ended.
func (t *Tracker) event(payload []byte) error {
	var m eventMessage
	if err := json.Unmarshal(payload, &m); err != nil {
		return fmt.Errorf("event: %w", err)
	}
	for _, l := range m.Loss {
		if l.Sensor != "" && (l.Run == "" || l.First == 0 || l.Last < l.First || l.Last > maxSeq) {
			return fmt.Errorf("loss event: %s has the range %d to %d of run %q", l.Sensor, l.First, l.Last, l.Run)
		}
	}
	if m.Run == "" || m.Previous != nil && (m.Previous.Run == "" || m.Previous.Run == m.Run) {
		return errors.New("event: a message without a valid run")
	}
	b := t.speaks(m.Run, m.Gateway)
	if m.N > 0 {
		b.events.add(m.N, m.N)
	}
	for _, l := range m.Loss { // each as often as it comes: a large event is sent in parts, with one number
		if l.Sensor == "" || l.Count == 0 {
			b.unknown[unknown{m.N, l}] = true // what a damaged store held
		}
		if l.Sensor != "" {
			t.sequence(l.Run, l.Sensor, m.Gateway).lose(l)
		}
	}
	if m.Version != nil {
		b.maxLoss = m.MaxLoss
	}
	if p := m.Previous; p != nil {
		b.before = p.Run
		before := t.run(p.Run, p.Gateway)
		if before.first > 0 && before.first < b.first && !b.heard { // else it is an event that a later run sends again
			b.began, b.present = true, true
		}
		before.ended(p)
		before.next[m.Run] = m.Gateway
		for sensor := range p.Last {
			t.sequence(p.Run, sensor, p.Gateway)
		}
	}
	return nil
}

// present takes in P/status of a gateway: a run that says that it is there exists, whatever else
// arrives of it.
func (t *Tracker) present(gateway string, payload []byte) error {
	if len(payload) == 0 {
		delete(t.status, gateway)
		return nil
	}
	var s contract.Status
	if err := json.Unmarshal(payload, &s); err != nil {
		return fmt.Errorf("status: %w", err)
	}
	t.status[gateway] = s
	if (s.State == contract.Online || s.State == contract.Sleeping) && s.Run != "" {
		t.sees(t.speaks(s.Run, gateway))
	}
	return nil
}

// run returns the state of a run. gateway is whose it is said to be.
func (t *Tracker) run(id, gateway string) *runState {
	b := t.runs[id]
	if b == nil {
		b = &runState{gateway: gateway, next: map[string]string{}, unknown: map[unknown]bool{}}
		t.runs[id] = b
	}
	return b
}

// speaks returns the state of a run of which a message arrived.
func (t *Tracker) speaks(id, gateway string) *runState {
	b := t.run(id, gateway)
	if b.first == 0 {
		t.spoke++
		b.first, b.gateway = t.spoke, gateway
	}
	return b
}

// sees notes that a run is under way.
func (t *Tracker) sees(b *runState) {
	b.present = true
	if b.seen == 0 {
		t.spoke++
		b.seen = t.spoke
	}
}

func (t *Tracker) sequence(run, sensor, gateway string) *sequence {
	k := seqKey{run, sensor}
	s := t.sequences[k]
	if s == nil {
		s = &sequence{starts: map[uint64]moment{}}
		t.sequences[k] = s
		t.run(run, gateway)
	}
	return s
}

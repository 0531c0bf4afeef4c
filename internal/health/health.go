package health

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/card"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/sampling"
)

// Figures are what the parts give for a snapshot.
type Figures struct {
	Store     buffer.Stats
	Run       string
	StoreID   string
	Boot      uint32
	Version   string
	OldestAge time.Duration // of the oldest reading that waits; 0 if it is not known
	Link      contract.LinkHealth
	Delivered uint64
	Unrouted  uint64
	// BacklogWait is for how long the backlog waits on this connection.
	BacklogWait time.Duration
	Now         contract.Time
	Up          time.Duration // since power-up
	ClockSync   bool
	CertDays    *float64      // until the client's certificate ends; nil: there is none
	Flash       *card.Usage   // of the store's device; nil: not known
	Endurance   int64         // bytes that the card stands; 0: not known
	Trouble     []string      // what the link keeps from working
	Refused     []string      // topics that the broker refuses, a sentence each
	ClockWait   time.Duration // how long readings still wait for a clock
	NeedsTime   string        // the format of telemetry, if readings wait for the time without limit
	// ClockDoubt says that the kernel's clock differs from the time that readings have; "": it does
	// not.
	ClockDoubt string
	OldConfig  bool // the newest configuration is wrong
	Limited    bool // mqtt.publish_rate or mqtt.bytes_rate is set
	Sensors    []sampling.State
	Alarms     []string // fields beyond their limits, a sentence each
}

// A Monitor makes snapshots. Its methods may be called from any goroutine.
type Monitor struct {
	figures func() Figures
	mu      sync.Mutex
	meter   meter
}

// New makes a monitor of what figures returns.
func New(figures func() Figures) *Monitor { return &Monitor{figures: figures} }

// Document returns P/health. While the gateway sleeps there is none: the next one comes with the
// next connection.
func (m *Monitor) Document() []byte {
	h := m.Snapshot()
	if h.Link.Asleep {
		return nil
	}
	text, err := json.Marshal(h)
	if err != nil {
		panic(err) // a struct of strings and finite numbers
	}
	return text
}

// Snapshot returns the state of the gateway now.
func (m *Monitor) Snapshot() contract.Health {
	f := m.figures()
	s := sample{f.Up, f.Store.Appended, f.Delivered, f.Store.Bytes, f.Store.WrittenBytes, f.Store.Evicted + f.Store.Rejected}
	m.mu.Lock()
	r := m.meter.rates(s)
	m.meter.add(s)
	span := s.up - m.meter.first
	m.mu.Unlock()

	h := contract.Health{
		V: contract.Version, TS: f.Now, Up: f.Up.Seconds(), Run: f.Run, Store: f.StoreID, Boot: f.Boot, Version: f.Version,
		State: "ok", Link: f.Link, ClockSync: f.ClockSync, CertDays: f.CertDays, Sensors: map[string]contract.SensorHealth{},
		Queue: contract.QueueHealth{
			Live: f.Store.Live, Backlog: f.Store.Backlog, Events: f.Store.Events, InFlight: f.Store.InFlight,
			Bytes: f.Store.Bytes, MaxBytes: f.Store.MaxBytes, OldestAge: f.OldestAge.Seconds(), RateIn: r.in, RateOut: r.out,
			Appended: f.Store.Appended, Delivered: f.Delivered, Evicted: f.Store.Evicted, Expired: f.Store.Expired, Thinned: f.Store.Thinned, Rejected: f.Store.Rejected,
			Refused: f.Store.Refused, Unrouted: f.Unrouted, Overruns: f.Store.Overruns,
		},
		Flash: contract.FlashHealth{Bytes: f.Store.WrittenBytes, Commits: f.Store.Commits},
	}
	if f.BacklogWait > 0 && f.Store.Backlog > 0 {
		wait := f.BacklogWait.Seconds()
		h.Queue.BacklogWait = &wait
	}
	waiting := float64(f.Store.Live + f.Store.Backlog)
	if r.out > r.in && waiting > 0 {
		drain := waiting / (r.out - r.in)
		h.Queue.SecondsToDrain = &drain
	}
	if r.in > r.out && f.Store.Backlog > 0 && r.growth > 0 && !f.Store.Full {
		full := max(float64(f.Store.MaxBytes-f.Store.Bytes), 0) / r.growth / 3600
		h.Queue.HoursToFull = &full
	}
	if span >= flashSpan {
		h.Flash.BytesPerDay = r.written * 86400
	}
	if f.Flash != nil {
		h.Flash.Device = device(*f.Flash, f.Store.Appended, f.Endurance)
	}
	h.Reasons, h.Alarms = f.reasons(), some(f.Alarms, "alarms")
	if f.Limited && f.Link.Connected && r.in > 1.1*r.out && waiting > slowAfter.Seconds()*r.in && r.in > 0 {
		h.Reasons = append(h.Reasons, fmt.Sprintf("the queue grows: %.3g readings a second are taken, and mqtt.publish_rate or mqtt.bytes_rate lets %.3g go; raise it, read less often, or use larger batches (linger) and compress", r.in, r.out))
	}
	if r.dropped > 0 {
		full := "the store is full (buffer.max_bytes)"
		if f.Store.Limit == "min_free" {
			full = "the file system has less free space than buffer.min_free"
		}
		h.Reasons = append(h.Reasons, fmt.Sprintf("%s: %.0f readings a minute are dropped", full, max(r.dropped*60, 1)))
	} else if f.Store.Full && f.Store.Limit == "min_free" {
		h.Reasons = append(h.Reasons, "the file system has less free space than buffer.min_free: readings are in RAM only, and a power cut loses those that are not acknowledged")
	}
	for _, s := range f.Sensors {
		h.Sensors[s.Sensor] = contract.SensorHealth{State: string(s.Condition), Error: s.Err, Since: s.Since.Seconds(),
			Reads: s.Reads, Failures: s.Failures, Skipped: s.Skipped, Bad: s.Bad, Flaps: s.Flaps}
		switch s.Condition {
		case sampling.Failing, sampling.Missing, sampling.Bad, sampling.Stale, sampling.Frozen:
			if s.Flaps == 0 {
				h.Reasons = append(h.Reasons, fmt.Sprintf("sensor %s is %s", s.Sensor, s.Condition))
			}
		}
		if s.Flaps > 0 {
			h.Reasons = append(h.Reasons, fmt.Sprintf("sensor %s is flapping: %d changes within a minute", s.Sensor, s.Flaps))
		}
		if s.SinkErr != "" {
			h.Reasons = append(h.Reasons, fmt.Sprintf("readings of %s are not stored: %s", s.Sensor, s.SinkErr))
		}
	}
	if len(h.Reasons) > 0 {
		h.State = "degraded"
	}
	return h
}

// reasons says what is wrong with the gateway as a whole.
func (f *Figures) reasons() []string {
	list := slices.Clip(some(f.Trouble, "problems with the link"))
	switch {
	case f.NeedsTime != "" && !f.ClockSync:
		list = append(list, fmt.Sprintf("the clock is not synchronised: %d readings wait for the time, which telemetry.format = %q needs: let NTP set the clock, or name a source in gateway.time_from", f.Store.Live+f.Store.Backlog, f.NeedsTime))
	case f.ClockWait > 0:
		list = append(list, fmt.Sprintf("the clock is not synchronised: readings wait for it for another %s (gateway.wait_for_clock)", config.DurationText(f.ClockWait.Round(time.Second))))
	}
	if f.ClockDoubt != "" {
		list = append(list, f.ClockDoubt)
	}
	list = append(list, some(f.Refused, "refused topics")...)
	if f.Store.Degraded != nil {
		list = append(list, "the store does not commit: "+f.Store.Degraded.Error())
	}
	switch n := f.Store.Dead; {
	case n == 1:
		list = append(list, "1 message was refused by the broker: fieldgate queue dead-letter list")
	case n > 1:
		list = append(list, fmt.Sprintf("%d messages were refused by the broker: fieldgate queue dead-letter list", n))
	}
	if f.OldConfig {
		list = append(list, "the configuration is wrong; the gateway runs with the last good one")
	}
	return list
}

// someMax is how many sentences of a kind are reported one by one.
const someMax = 8

// some returns the first of a list and how many there are beyond.
func some(list []string, what string) []string {
	if len(list) <= someMax {
		return list
	}
	return append(list[:someMax:someMax], fmt.Sprintf("and %d more %s", len(list)-someMax, what))
}

// slowAfter is for how long readings must wait on average before a rate is called too low.
const slowAfter = 2 * time.Minute

// flashSpan is from when on what was written to a card says what a day writes: a start writes more
// than the hours after it.
const flashSpan = 10 * time.Minute

// device says what a card has to bear.
func device(u card.Usage, readings uint64, endurance int64) *contract.FlashDevice {
	d := &contract.FlashDevice{Name: u.Device, Bytes: u.Bytes, BytesPerReading: float64(u.Bytes) / float64(max(readings, 1))}
	if u.Span >= flashSpan {
		d.BytesPerDay = float64(u.Bytes) / u.Span.Hours() * 24
	}
	if endurance > 0 && d.BytesPerDay > 0 {
		years := float64(endurance) / d.BytesPerDay / 365.25
		d.Years = &years
	}
	return d
}

// Asleep says of a gateway that sleeps until when: by the local clock, or for how long if the time
// is not known.
func Asleep(h contract.Health) string {
	var wait float64
	if h.Link.NextAttempt != nil {
		wait = *h.Link.NextAttempt
	}
	return "asleep " + Until(h, wait)
}

// Until says when a wait of so many seconds ends: by the local clock, or for how long it lasts if
// the time is not known.
func Until(h contract.Health, seconds float64) string {
	wait := time.Duration(seconds * float64(time.Second))
	if h.TS.IsZero() {
		return "for another " + config.DurationText(wait.Round(time.Second))
	}
	return "until " + h.TS.Add(wait).Round(time.Second).Local().Format(time.TimeOnly)
}

// StatusLine shows a snapshot in one line, as `systemctl status` shows it.
func StatusLine(h contract.Health) string {
	var b strings.Builder
	switch {
	case h.Link.Connected:
		b.WriteString("online")
	case h.Link.Asleep:
		b.WriteString(Asleep(h))
	default:
		b.WriteString("offline")
		if h.Link.Error != "" && len(h.Reasons) == 0 { // else the first reason says it
			fmt.Fprintf(&b, " (%s)", h.Link.Error)
		}
	}
	good := 0
	for _, s := range h.Sensors {
		if s.State == string(sampling.OK) {
			good++
		}
	}
	fmt.Fprintf(&b, "; %d of %d sensors ok; %d readings waiting", good, len(h.Sensors), h.Queue.Live+h.Queue.Backlog)
	if n := h.Queue.Evicted + h.Queue.Rejected; n > 0 {
		fmt.Fprintf(&b, "; %d readings dropped", n)
	}
	if len(h.Reasons) > 0 {
		fmt.Fprintf(&b, "; %s: %s", h.State, h.Reasons[0])
		if n := len(h.Reasons) - 1; n > 0 {
			fmt.Fprintf(&b, " (and %d more)", n)
		}
	}
	return b.String()
}

// Package traffic counts what the line to the broker carries in a day and in a month, both in UTC,
// over restarts of the program, and says when mqtt.bytes_per_day is used up: then readings of low
// priority wait in the store until the next day.
//
// The sums are kept with commits that the store makes anyway. A power cut costs what was counted
// since the last of them.
package traffic

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/internal/contract"
)

const (
	bucket, key = "traffic", "bytes"
	keepEvery   = time.Minute
	warnAt      = 0.8                    // of the limit
	alarm       = "bytes-per-day"        // as contract.AlarmEvent has it
	loadTimeout = 500 * time.Millisecond // for a value that the store has in its file
)

// Store keeps the sums.
type Store interface {
	Get(ctx context.Context, bucket, key string) ([]byte, error)
	PutSoon(bucket, key string, value []byte)
}

// Config is what a Meter is made of.
type Config struct {
	Counters func() (up, down uint64)      // of bytes since the program started
	Now      func() (time.Time, bool)      // false while the time is not known
	Up       func() time.Duration          // since power-up
	Limit    int64                         // bytes of a day, up and down; 0: none
	Low      map[string]bool               // sensors whose readings wait when the limit is reached
	Hold     func(sensors map[string]bool) // makes their readings wait; nil: none
	Alarm    func(contract.AlarmEvent)
	Store    Store
	Log      *slog.Logger
}

// A Meter is made by New. One goroutine calls Tick and Close; Report may be called by any.
type Meter struct {
	cfg Config

	mu      sync.Mutex
	sums    sums
	seen    bytes // of the counters
	held    bool
	loaded  bool // what was kept before is in sums
	changed bool // since sums were kept
	keptAt  time.Duration
}

type bytes struct{ Up, Down uint64 }

func (b *bytes) add(o bytes)  { b.Up, b.Down = b.Up+o.Up, b.Down+o.Down }
func (b bytes) total() uint64 { return b.Up + b.Down }

// sums are what is kept. What is counted while the time is not known is Undated, and counts for the
// day on which it becomes known.
type sums struct {
	Day, Month     string // 2026-11-28, 2026-11; "" before the time was known first
	OfDay, OfMonth bytes
	Undated        bytes
	Raised         bool // the alarm
}

// New makes a meter that goes on from what the store has kept.
func New(c Config) *Meter {
	m := &Meter{cfg: c, keptAt: c.Up()}
	m.loadLocked()
	return m
}

// loadLocked adds what was kept before. A store that cannot be opened is asked again before the
// sums are kept.
func (m *Meter) loadLocked() {
	if m.loaded {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
	defer cancel()
	text, err := m.cfg.Store.Get(ctx, bucket, key)
	if err != nil {
		return
	}
	m.loaded = true
	var kept sums
	if err := json.Unmarshal(text, &kept); err != nil {
		return // nothing, or nothing of use, was kept
	}
	kept.Undated.add(m.sums.Undated)
	if m.sums.Day != "" {
		kept.begin(m.sums.Day, m.sums.Month)
	}
	kept.OfDay.add(m.sums.OfDay)
	kept.OfMonth.add(m.sums.OfMonth)
	kept.Raised = kept.Raised || m.sums.Raised
	m.sums = kept
}

// begin makes the sums those of a day and a month.
func (s *sums) begin(day, month string) {
	if s.Day != day {
		s.Day, s.OfDay = day, bytes{}
	}
	if s.Month != month {
		s.Month, s.OfMonth = month, bytes{}
	}
}

// Tick counts. It is called each second.
func (m *Meter) Tick() {
	m.mu.Lock()
	defer m.mu.Unlock()
	var now bytes
	now.Up, now.Down = m.cfg.Counters()
	if now != m.seen {
		m.sums.Undated.add(bytes{now.Up - m.seen.Up, now.Down - m.seen.Down})
		m.seen, m.changed = now, true
	}
	if t, known := m.cfg.Now(); known {
		t = t.UTC()
		m.sums.begin(t.Format("2006-01-02"), t.Format("2006-01"))
		m.sums.OfDay.add(m.sums.Undated)
		m.sums.OfMonth.add(m.sums.Undated)
		m.sums.Undated = bytes{}
		m.limitLocked()
	}
	if m.changed && m.cfg.Up()-m.keptAt >= keepEvery {
		m.keepLocked()
	}
}

// limitLocked raises and clears the alarm, and has readings wait or go.
func (m *Meter) limitLocked() {
	used := m.sums.OfDay.total()
	if raised := m.overLocked(warnAt); raised != m.sums.Raised {
		m.sums.Raised, m.changed = raised, true
		e := contract.AlarmEvent{Alarm: alarm, State: "cleared", Detail: fmt.Sprintf("%s of the day's bytes are used", megabytes(used))}
		if raised {
			e.State, e.Detail = "raised", m.adviceLocked()
			m.cfg.Log.Warn("the line has carried most of mqtt.bytes_per_day", "used", megabytes(used), "limit", megabytes(uint64(m.cfg.Limit)))
		}
		m.cfg.Alarm(e)
		m.keepLocked()
	}
	held := m.overLocked(1)
	if held == m.held {
		return
	}
	if m.held = held; !held {
		m.cfg.Hold(nil)
		if len(m.cfg.Low) > 0 {
			m.cfg.Log.Info("a new day: readings of low priority are sent again")
		}
		return
	}
	m.cfg.Hold(m.cfg.Low)
	if len(m.cfg.Low) == 0 {
		m.cfg.Log.Warn("mqtt.bytes_per_day is used up: no sensor has priority low, so everything is still sent", "limit", megabytes(uint64(m.cfg.Limit)))
		return
	}
	m.cfg.Log.Warn("mqtt.bytes_per_day is used up: readings of low priority wait until midnight UTC", "limit", megabytes(uint64(m.cfg.Limit)), "sensors", len(m.cfg.Low))
}

// overLocked reports whether that share of the limit is used.
func (m *Meter) overLocked(share float64) bool {
	return m.cfg.Limit > 0 && float64(m.sums.OfDay.total()) >= share*float64(m.cfg.Limit)
}

// adviceLocked says how much is used and what comes of it.
func (m *Meter) adviceLocked() string {
	used, limit := m.sums.OfDay.total(), uint64(m.cfg.Limit)
	text := fmt.Sprintf("%s of the %s of mqtt.bytes_per_day are used", megabytes(used), megabytes(limit))
	switch {
	case len(m.cfg.Low) == 0:
		return text + ": no sensor has priority low, so everything is still sent"
	case used < limit:
		return text + ": beyond that readings of low priority wait until midnight UTC"
	}
	return text + ": readings of low priority wait until midnight UTC"
}

func megabytes(n uint64) string {
	if n < 1e6 {
		return fmt.Sprintf("%.1f KB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// keepLocked has the sums written with the next commit.
func (m *Meter) keepLocked() {
	m.keptAt = m.cfg.Up()
	if m.loadLocked(); !m.loaded {
		return
	}
	text, err := json.Marshal(m.sums)
	if err != nil {
		panic(err) // a struct of numbers and words
	}
	m.cfg.Store.PutSoon(bucket, key, text)
	m.changed = false
}

// Close counts a last time and has the sums written when the store is closed.
func (m *Meter) Close() {
	m.Tick()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.changed {
		m.keepLocked()
	}
}

// Report enters the sums in a document, and says what is wrong with them.
func (m *Meter) Report(h *contract.LinkHealth) (troubles []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	day, month := m.sums.OfDay, m.sums.OfMonth
	day.add(m.sums.Undated)
	month.add(m.sums.Undated)
	h.BytesUpDay, h.BytesDownDay, h.BytesUpMonth, h.BytesDownMonth = day.Up, day.Down, month.Up, month.Down
	if m.sums.Raised && m.cfg.Limit > 0 {
		troubles = append(troubles, m.adviceLocked())
	}
	return troubles
}

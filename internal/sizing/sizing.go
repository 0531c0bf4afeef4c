// Package sizing is what a configuration means for the store: its options, and how much room an
// outage needs. That is not guessed: a sample of readings, as the configured sensors would make
// them, is stored and measured.
package sizing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/filter"
	"github.com/fieldgate/fieldgate/internal/reading"
)

const (
	sampleReadings = 20_000 // at most
	sampleCommits  = 200    // at most
	minCommits     = 10     // so that a commit's share is measured
	// of a file system: a commit writes the one in which it begins once more
	block = 4096
	// bytes of readings in RAM, a little below those that start a commit before its time
	fullFront = 64_000
)

// An Estimate is what was measured of a configuration.
type Estimate struct {
	sensors       int
	rate          float64 // readings per second
	perCommit     int     // readings
	fixed         float64 // bytes of an empty store
	bytes         float64 // that the store grows by, per reading
	written       float64 // bytes of the blocks that are written, per reading
	maxBytes      int64
	readingsSpace float64 // of maxBytes, for readings
}

// Measure stores a sample of readings of the enabled sensors in a temporary store and measures it.
func Measure(ctx context.Context, c *config.Config) (*Estimate, error) {
	e := &Estimate{maxBytes: int64(c.Buffer.MaxBytes)}
	var sources []*source
	for i := range c.Sensors {
		s := &c.Sensors[i]
		if !s.Enabled || s.Every <= 0 {
			continue
		}
		e.sensors++
		e.rate += 1 / s.Every.Seconds()
		sources = append(sources, newSource(s))
	}
	if len(sources) == 0 {
		return nil, errors.New("no sensor is enabled: nothing would be stored")
	}
	interval := max(buffer.CommitAfter(c.Buffer.MaxLoss, 0), time.Millisecond)
	e.perCommit = max(int(min(e.rate*interval.Seconds(), math.MaxInt32)), 1)
	if c.Buffer.MaxLoss == 0 {
		e.perCommit = 1
	}
	dir, err := os.MkdirTemp("", "fieldgate-size-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := e.sample(ctx, filepath.Join(dir, "queue.db"), sources); err != nil {
		return nil, fmt.Errorf("sample of readings: %w", err)
	}
	return e, nil
}

// sample stores readings in turns of one commit each.
func (e *Estimate) sample(ctx context.Context, path string, sources []*source) error {
	began := time.Now()
	store, err := buffer.Open(ctx, path, buffer.Options{
		MaxLoss: time.Hour, KernelBoot: "sample", Up: func() time.Duration { return time.Since(began) + time.Hour },
	})
	if err != nil {
		return err
	}
	defer store.Close(context.WithoutCancel(ctx))
	count, commits := 0, 0
	add := func() error {
		s := next(sources)
		_, err := store.Append(ctx, buffer.Readings, s.name, s.at, s.body())
		s.at += s.every
		count++
		return err
	}
	commit := func(readings int) error {
		for range readings {
			if err := add(); err != nil {
				return err
			}
		}
		commits++
		return store.Flush(ctx)
	}
	// database returns the bytes of the store without its log.
	database := func() float64 {
		st := store.Stats()
		return float64(st.Bytes - st.LogBytes)
	}
	for none := store.Stats().Bytes; count < e.perCommit; { // what is in RAM counts there
		if err := add(); err != nil {
			return err
		}
		if store.Stats().Bytes-none > fullFront {
			e.perCommit = count
		}
	}
	// what a reading costs does not change above that
	perCommit := min(e.perCommit, sampleReadings/minCommits)
	if err := commit(0); err != nil {
		return err
	}
	empty := database()
	before := store.Stats()
	e.fixed, count, commits = empty+float64(buffer.LogSize(e.maxBytes)), 0, 0
	for range min(sampleReadings/perCommit, sampleCommits) {
		if err := commit(perCommit); err != nil {
			return err
		}
	}
	full := database()
	if err := store.Close(ctx); err != nil { // copies the log
		return err
	}
	after := store.Stats()
	if after.Evicted > 0 || after.Rejected > 0 {
		return fmt.Errorf("the store kept only a part of the sample: %d evicted, %d rejected", after.Evicted, after.Rejected)
	}
	e.bytes = max(full-empty, 1) / float64(count)
	e.written = float64(int64(after.WrittenBytes-before.WrittenBytes)+int64(commits)*block) / float64(count)
	e.readingsSpace = max(float64(e.maxBytes)*0.95-e.fixed, 0) // 5 % are the events'
	return nil
}

// A Report is what an outage needs.
type Report struct {
	Outage          time.Duration `json:"-"`
	Sensors         int           `json:"sensors"`
	Rate            float64       `json:"rate"` // readings per second
	Readings        float64       `json:"readings"`
	PerCommit       int           `json:"readings_per_commit"`
	BytesPerReading float64       `json:"bytes_per_reading"`
	Fixed           float64       `json:"fixed_bytes"` // of an empty store
	Needs           float64       `json:"needs_bytes"` // with the fixed ones and the events' share
	MaxBytes        int64         `json:"max_bytes"`
	Written         float64       `json:"written_bytes"`
	WrittenPerDay   float64       `json:"written_bytes_per_day"`
	Fits            bool          `json:"fits"`
	FullAfter       time.Duration `json:"-"`
}

// Report says what an outage needs.
func (e *Estimate) Report(outage time.Duration) Report {
	readings := e.rate * outage.Seconds()
	r := Report{
		Outage: outage, Sensors: e.sensors, Rate: e.rate, Readings: readings, PerCommit: e.perCommit, BytesPerReading: e.bytes,
		Fixed: e.fixed, Needs: (e.fixed + readings*e.bytes) / 0.95, MaxBytes: e.maxBytes,
		Written: readings * e.written, WrittenPerDay: e.rate * 86400 * e.written,
	}
	const longest = 100 * 365 * 24 * time.Hour
	r.FullAfter = longest
	if seconds := e.readingsSpace / e.bytes / e.rate; seconds < longest.Seconds() {
		r.FullAfter = time.Duration(seconds * float64(time.Second))
	}
	r.Fits = r.Needs <= float64(e.maxBytes)
	return r
}

// A source makes readings like those of one sensor: numbers on a random walk, with three decimals.
type source struct {
	name   string
	every  time.Duration
	at     time.Duration // of its next reading
	values []drivers.Value
	state  []float64
	text   []byte
}

func newSource(s *config.Sensor) *source {
	fields, _ := filter.Fields(s)
	v := &source{name: s.Name, every: s.Every, values: make([]drivers.Value, len(fields)), state: make([]float64, len(fields))}
	for i, f := range fields {
		v.values[i] = drivers.Bad(f.Name, "none")
		v.state[i] = 20 + 1000*rand.Float64()
		switch f.Kind {
		case drivers.KindString:
			v.values[i] = drivers.String(f.Name, "a text of some length")
		case drivers.KindBool:
			v.values[i] = drivers.Bool(f.Name, true)
		case drivers.KindInt:
			v.values[i] = drivers.Int(f.Name, 0)
		case drivers.KindFloat:
			v.values[i] = drivers.Float(f.Name, 0)
		}
	}
	return v
}

// body returns the next reading. It is valid until the next call.
func (s *source) body() []byte {
	for i, v := range s.values {
		s.state[i] += rand.Float64() - 0.5
		thousandths := int64(s.state[i] * 1000)
		switch v.Kind() {
		case drivers.KindInt:
			s.values[i] = drivers.Int(v.Field, thousandths)
		case drivers.KindFloat:
			s.values[i] = drivers.Float(v.Field, float64(thousandths)/1000)
		}
	}
	s.text = reading.Append(s.text[:0], s.values)
	return s.text
}

// next returns the source whose reading is due first.
func next(sources []*source) *source {
	first := sources[0]
	for _, s := range sources[1:] {
		if s.at < first.at {
			first = s
		}
	}
	return first
}

// MarshalJSON writes times as all documents have them, in seconds.
func (r Report) MarshalJSON() ([]byte, error) {
	type figures Report
	return json.Marshal(struct {
		Outage    float64 `json:"outage"`
		FullAfter float64 `json:"full_after"`
		figures
	}{r.Outage.Seconds(), r.FullAfter.Seconds(), figures(r)})
}

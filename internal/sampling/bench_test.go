package sampling

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/sim"
	"github.com/fieldgate/fieldgate/internal/filter"
)

// simulated returns the sampler of a simulated sensor with a filter that keeps every reading.
func simulated(every time.Duration, sink Sink) *Sampler {
	start := time.Now()
	scale := 1.8
	config := Config{
		Name:     "s",
		Settings: Settings{Every: every, Enabled: true},
		Open: func(ctx context.Context) (drivers.Driver, error) {
			return sim.Spec.Open(ctx, nil, "", sim.Spec.Options())
		},
		Fields: map[string]config.FieldFilter{"value": {Scale: &scale}},
	}
	return New(config, Deps{Sink: sink, Up: func() time.Duration { return time.Since(start) }, Wall: time.Now})
}

// BenchmarkReading is the cost of one reading through driver, filter and worker into the sink.
func BenchmarkReading(b *testing.B) {
	s := simulated(time.Microsecond, func(context.Context, string, time.Duration, []drivers.Value) error { return nil })
	d := &device{config: &s.config, deps: &s.deps, chain: filter.New(s.config.Fields, s.config.Computed)}
	b.ReportAllocs()
	if o := d.sample(b.Context(), b.N, false); o.err != nil || o.reads != uint64(b.N) {
		b.Fatalf("%+v", o)
	}
}

// BenchmarkRun is the rate that a sampler holds in real time when it is asked for 100,000 readings
// a second.
func BenchmarkRun(b *testing.B) {
	var got atomic.Int64
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	full := make(chan struct{})
	s := simulated(10*time.Microsecond, func(context.Context, string, time.Duration, []drivers.Value) error {
		if got.Add(1) == int64(b.N) {
			close(full)
		}
		return nil
	})
	b.ReportAllocs()
	b.ResetTimer()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	<-full
	b.StopTimer()
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "readings/s")
	b.ReportMetric(float64(s.State().Skipped), "skipped")
}

func TestFastPathDoesNotAllocate(t *testing.T) {
	s := simulated(time.Microsecond, func(context.Context, string, time.Duration, []drivers.Value) error { return nil })
	d := &device{config: &s.config, deps: &s.deps, chain: filter.New(s.config.Fields, s.config.Computed)}
	d.sample(t.Context(), 1, false)
	if n := testing.AllocsPerRun(100, func() { d.sample(t.Context(), 10, false) }); n != 0 {
		t.Errorf("want no allocation per reading, got %v per ten", n)
	}
}

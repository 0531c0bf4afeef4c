package buffer

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// Below MinFree the events keep what is reserved for them.
func TestEventsBelowMinFree(t *testing.T) {
	for _, policy := range []Policy{DropOldest, RejectNew} {
		t.Run(fmt.Sprint("policy ", policy), func(t *testing.T) {
			var log lockedText
			s := newStore(t, Options{MaxLoss: time.Hour, MaxBytes: 16 << 20, MinFree: 1 << 60, WhenFull: policy, Log: textLog(&log)})
			const events = 30
			for i := range 600 {
				if _, err := s.Append(t.Context(), Readings, "a", 0, noise(i, 1000)); err != nil && !errors.Is(err, ErrFull) {
					t.Fatal(err)
				}
				if i%20 == 0 {
					if _, err := s.Append(t.Context(), Events, "event", 0, noise(i, 3000)); err != nil {
						t.Fatalf("event %d: %v", i/20, err)
					}
					if err := s.Flush(t.Context()); err != nil && !errors.Is(err, ErrNotDurable) {
						t.Fatal(err)
					}
				}
			}
			if n := rows(t, s, tables[eventClass]); n != events {
				t.Errorf("%d events stored, want %d", n, events)
			}
			for _, l := range s.TakeLosses(1000) {
				if l.Kind == Events {
					t.Errorf("loss %+v", l)
				}
			}
			if size := fileSize(s.path); size > (events+40)*2*pageSize {
				t.Errorf("the file grew to %d bytes", size)
			}
			if !strings.Contains(log.String(), "limit=min_free") {
				t.Errorf("log: %s", log.String())
			}
		})
	}
}

// Other programs take what is free of the file system while the store is in use, and give it back:
// the store grows no more, and again.
func TestMinFreeIsReachedInUse(t *testing.T) {
	s := newStore(t, Options{MaxLoss: time.Hour, MaxBytes: 16 << 20})
	more := func(minFree int64) (grown int64, evicted uint64) {
		t.Helper()
		var before, after int64
		err := s.submit(t.Context(), &job{read: func(c *committer) error {
			c.s.o.MinFree = minFree // as if so much less were free
			before = c.file
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		evicted = s.Stats().Evicted
		for i := range 50 {
			for j := range 10 {
				mustAppend(t, s, Readings, "a", string(noise(i*10+j, 1000)))
			}
			if err := s.Flush(t.Context()); err != nil && !errors.Is(err, ErrNotDurable) {
				t.Fatal(err)
			}
		}
		if err := s.submit(t.Context(), &job{read: func(c *committer) error { after = c.file; return nil }}); err != nil {
			t.Fatal(err)
		}
		return after - before, s.Stats().Evicted - evicted
	}
	for _, tt := range []struct {
		name    string
		minFree int64
		grows   bool
	}{{"room", 0, true}, {"no room", 1 << 60, false}, {"room again", 0, true}} {
		grown, evicted := more(tt.minFree)
		if got := s.Stats().Limit; (got == "min_free") != (tt.minFree > 0) || got == "" {
			t.Errorf("%s: the limit is %q", tt.name, got)
		}
		if tt.grows != (grown > 400_000) || tt.grows != (evicted == 0) || !tt.grows && grown > 50_000 {
			t.Errorf("%s: grown by %d bytes, %d readings removed", tt.name, grown, evicted)
		}
	}
}

type lockedText struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

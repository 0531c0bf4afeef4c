package buffer

import (
	"context"
	"errors"
	"testing"
	"time"
)

// What a store that rejects new readings has taken it keeps: also after it was opened full, and
// also what was taken between two commits.
func TestRejectNewKeepsWhatItTook(t *testing.T) {
	path := t.TempDir() + "/queue.db"
	o := Options{MaxBytes: MinMaxBytes, MaxLoss: 50 * time.Millisecond, WhenFull: RejectNew}
	for _, stream := range []string{"first", "second"} {
		s := openAt(t, path, o)
		taken := uint64(0)
		for i := range 2000 {
			switch _, err := s.Append(t.Context(), Readings, stream, 0, noise(i, 1000)); {
			case err == nil:
				taken++
			case !errors.Is(err, ErrFull):
				t.Fatal(err)
			}
		}
		if err := s.Flush(t.Context()); err != nil {
			t.Errorf("%s: Flush: %v", stream, err)
		}
		if st := s.Stats(); st.Front != 0 || st.Rejected != 2000-taken || taken == 0 && stream == "first" {
			t.Errorf("%s: %d taken, %+v", stream, taken, st)
		}
		path = crash(t, s, path)
		s = openAt(t, path, o)
		found := uint64(0)
		for r, err := range s.Stored(t.Context(), Readings) {
			if err != nil {
				t.Fatal(err)
			}
			if r.Stream == stream {
				found++
			}
		}
		if found != taken {
			t.Errorf("%s: %d found of %d that were taken", stream, found, taken)
		}
		closeStore(t, s)
	}
}

// The same while a full store is being salvaged into the new one, and in a file of an earlier
// version, whose larger pages need more room.
func TestRejectNewBesideSalvage(t *testing.T) {
	path := t.TempDir() + "/queue.db"
	o := Options{MaxLoss: time.Hour, MaxBytes: MinMaxBytes, WhenFull: RejectNew}
	s := openAt(t, path, o)
	for i := range 2000 {
		if _, err := s.Append(t.Context(), Readings, "a", 0, noise(i, 1000)); err != nil && !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
	}
	closeStore(t, s)
	damage(t, path)
	s = openAt(t, path, o)
	defer closeStore(t, s)
	taken := 0
	for i := range 20 {
		if _, err := s.Append(t.Context(), Readings, "a", 0, noise(i, 1000)); err == nil {
			taken++
		}
	}
	salvaged(t, s)
	if err := s.Flush(t.Context()); err != nil || taken == 0 {
		t.Errorf("%d were taken, %d of them are in RAM only: %v", taken, s.Stats().Front, err)
	}
}

// What Append takes when a commit is durable, but not finished, finds room in the next one.
func TestRejectNewWhileACommitEnds(t *testing.T) {
	s := newStore(t, Options{MaxLoss: time.Hour, MaxBytes: 8 << 20, WhenFull: RejectNew})
	i := 0
	take := func(n int) {
		for range n {
			i++
			if _, err := s.Append(context.Background(), Readings, "a", 0, noise(i, 1000)); err != nil && !errors.Is(err, ErrFull) {
				t.Error(err)
			}
		}
	}
	space := func() int64 { s.mu.Lock(); defer s.mu.Unlock(); return s.space[normalClass] }
	for space() > 70<<10 {
		take(20)
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	err := s.submit(t.Context(), &job{read: func(c *committer) error {
		take(55)
		var rounds []*round
		tx, err := c.attempt(nil, false, &rounds)
		if err != nil {
			return err
		}
		take(55)
		return c.finishCommit(tx, s.o.Up())
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Errorf("%d are left in RAM: %v", s.Stats().Front, err)
	}
}

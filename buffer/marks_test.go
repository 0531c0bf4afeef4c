package buffer

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A class finds no room since all that is stored is in flight: no mark is above what is stored.
func TestMarksOfAFullClass(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	o := Options{MaxLoss: time.Hour, MaxBytes: MinMaxBytes}
	s := openAt(t, path, o)
	full := false
	for i := 0; i < 3000 && !full; i++ {
		mustAppend(t, s, Readings, "a", string(noise(i, 1000)))
		if i%10 == 0 {
			err := s.Flush(t.Context())
			if full = errors.Is(err, ErrNotDurable); err != nil && !full {
				t.Fatal(err)
			}
			s.Take(LiveLane, 1000, 1<<20)
			s.Take(BacklogLane, 1000, 1<<20)
		}
	}
	if !full {
		t.Fatal("there was always room")
	}
	path = crash(t, s, path)
	s = openAt(t, path, o)
	defer s.Close(t.Context())
	last := uint64(0)
	for r, err := range s.Stored(t.Context(), Readings) {
		if err != nil {
			t.Fatal(err)
		}
		last = max(last, r.Seq)
	}
	if mark := s.Previous().Last["a"]; mark != last {
		t.Errorf("the mark is %d, stored are those up to %d", mark, last)
	}
}

// Append removes a reading from the front while a commit runs that finds no room for it: the loss
// is not in that commit, so the mark stays below.
func TestMarkBelowWhatIsRemovedMeanwhile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := openAt(t, path, Options{MaxLoss: time.Hour, MaxBytes: MinMaxBytes})
	for range 5 {
		mustAppend(t, s, Readings, "a", "x")
	}
	to := filepath.Join(t.TempDir(), "queue.db")
	err := s.submit(t.Context(), &job{read: func(c *committer) error {
		t := &txn{n: c.n, open: make(map[lossKey]Loss), oldest: -1}
		var rounds []*round
		if err := c.db.begin(); err != nil {
			return err
		}
		c.build(t, nil, nil, &rounds)
		t.skipped[normalClass] = true
		s.mu.Lock()
		seg := s.shelves[normalClass].unstored()[0]
		s.loseItemLocked(seg, seg.items[0], reasonEvicted, 0)
		s.mu.Unlock()
		if err := errors.Join(c.write(t), c.db.commit()); err != nil {
			return err
		}
		c.apply(t)
		return copyStore(path, to)
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.Close(t.Context())
	s = openAt(t, to, Options{MaxLoss: time.Hour, MaxBytes: MinMaxBytes})
	defer closeStore(t, s)
	if mark := s.Previous().Last["a"]; mark > 0 {
		t.Errorf("the mark is %d; nothing is stored, and nothing is in the ledger", mark)
	}
}

// A run that commits nothing leaves nothing: the next one still reports how the one before it
// ended. One that commits has marks of its own.
func TestMarksOfARunThatCommitsNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := openAt(t, path, Options{})
	mustAppend(t, s, Readings, "a", "x")
	path = crash(t, s, path)
	s = openAt(t, path, Options{})
	path = crash(t, s, path)
	s = openAt(t, path, Options{})
	defer closeStore(t, s)
	if p := s.Previous(); p.Boot != 1 || p.Clean || p.Last["a"] != 1 || s.Boot() != 3 {
		t.Errorf("%+v, boot %d", p, s.Boot())
	}
	mustAppend(t, s, Readings, "b", "x")
	path = crash(t, s, path)
	last := openAt(t, path, Options{})
	defer closeStore(t, last)
	if p := last.Previous(); p.Boot != 3 || p.Last["a"] != 0 || p.Last["b"] != 1 {
		t.Errorf("%+v", p)
	}
}

// The transactions of salvage keep the marks of the boot.
func TestSalvageKeepsMarks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	o := Options{MaxLoss: time.Hour, MaxBytes: 8 << 20}
	s := openAt(t, path, o)
	fill(t, s, 3000)
	closeStore(t, s)
	damage(t, path)
	s = openAt(t, path, o)
	mustAppend(t, s, Readings, "new", "x")
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !s.Opened().Salvaging {
		t.Fatal("it was salvaged too soon")
	}
	salvaged(t, s)
	path = crash(t, s, path)
	s = openAt(t, path, o)
	defer closeStore(t, s)
	if p := s.Previous(); p.Last["new"] != 1 {
		t.Errorf("%+v", p)
	}
}

// A cut comes right after segments were removed to make room: the marks are still there.
func TestSacrificeKeepsMarks(t *testing.T) {
	path, to := filepath.Join(t.TempDir(), "queue.db"), filepath.Join(t.TempDir(), "queue.db")
	o := Options{MaxLoss: time.Hour, MaxBytes: 8 << 20}
	s := openAt(t, path, o)
	fill(t, s, 1000)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := s.submit(t.Context(), &job{read: func(c *committer) error {
		if !c.sacrifice() {
			return errors.New("nothing was removed")
		}
		return copyStore(path, to)
	}})
	if err != nil {
		t.Fatal(err)
	}
	lost := s.Stats().Evicted
	closeStore(t, s)
	s = openAt(t, to, o)
	defer closeStore(t, s)
	if p := s.Previous(); p.Last["a"] != 1000 || lost == 0 {
		t.Errorf("%d removed, %+v", lost, p)
	}
	if got := s.Stats().Backlog; got+int64(lost) != 1000 {
		t.Errorf("%d removed, %d left", lost, got)
	}
}

// fill appends n readings of "a", ten in a segment.
func fill(t *testing.T, s *Store, n int) {
	t.Helper()
	for i := range n {
		mustAppend(t, s, Readings, "a", string(noise(i, 500)))
		if i%10 == 0 {
			if err := s.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// damage makes the next Open set a store aside.
func damage(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(damagedPath(path), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Without its progress a clean end proves nothing, and the ledger says which numbers may be
// missing.
func TestDamagedProgressOfACleanEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	o := Options{MaxLoss: time.Hour, MaxBytes: 8 << 20}
	s := openAt(t, path, o)
	for range 100 {
		mustAppend(t, s, Readings, "a", "x")
	}
	id := s.ID()
	closeStore(t, s)
	sqlite(t, path, "UPDATE progress SET body=CAST(substr(body, 1, 20)||x'77'||substr(body, 22) AS BLOB)")
	s = openAt(t, path, o)
	defer closeStore(t, s)
	if opened := salvaged(t, s); opened.Salvaged != 100 {
		t.Errorf("%+v", opened)
	}
	if p := s.Previous(); p.Store != id || p.Boot != 1 || p.Clean {
		t.Errorf("previous %+v", p)
	}
	told := false
	for _, l := range s.TakeLosses(9) {
		told = told || l.Stream == "a" && l.Run == s.Previous().Run && l.First == 1 && l.Last == 100 && l.Count == 0
	}
	if !told {
		t.Error("the range is not in the ledger")
	}
}

// A store that was being salvaged is set aside itself: what was not salvaged yet is told.
func TestDamagedTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	o := Options{MaxLoss: time.Hour, MaxBytes: 8 << 20}
	s := openAt(t, path, o)
	fill(t, s, 3000)
	run := s.Run()
	closeStore(t, s)
	damage(t, path)
	s = openAt(t, path, o)
	first := s.Opened()
	closeStore(t, s)
	damage(t, path)
	for _, suffix := range []string{"", "-wal"} { // as if it were from another second
		if err := os.Rename(first.SetAside+suffix, path+".corrupt-20200101T000000Z"+suffix); err != nil && suffix == "" {
			t.Fatal(err)
		}
	}
	s = openAt(t, path, o)
	defer closeStore(t, s)
	salvaged(t, s)
	if st := s.Stats(); st.Backlog+st.Live >= 3000 {
		t.Fatal("it was salvaged too soon")
	}
	told := false
	for _, l := range s.TakeLosses(9) {
		told = told || l.Stream == "a" && l.Run == run && l.First == 1 && l.Last == 3000
	}
	if !told {
		t.Error("the ledger does not tell the rest of the first store")
	}
}

// A store that was replaced in use keeps its marks, also where a cut comes before the next commit.
func TestReplacementKeepsMarks(t *testing.T) {
	path, to := filepath.Join(t.TempDir(), "queue.db"), filepath.Join(t.TempDir(), "queue.db")
	o := Options{MaxLoss: time.Hour, MaxBytes: 8 << 20}
	s := openAt(t, path, o)
	fill(t, s, 1000)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := s.submit(t.Context(), &job{read: func(c *committer) error {
		if err := c.replace(errBadState); err != nil {
			return err
		}
		return copyStore(path, to)
	}})
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	s = openAt(t, to, o)
	defer closeStore(t, s)
	if p := s.Previous(); p.Last["a"] != 1000 || p.Clean {
		t.Errorf("%+v", p)
	}
}

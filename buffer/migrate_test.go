package buffer

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// testdata/v1.db was made by the code of version 1: two boots, of "a" and "b"
// the first reading acknowledged, a/1/2 refused, an event, a value of Update.
func fixture(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("testdata/v1.db")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "queue.db")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMigration(t *testing.T) {
	path := fixture(t)
	o := Options{MaxLoss: time.Hour, MaxBytes: MinMaxBytes, Machine: "machine-1", KernelBoot: "kernel-3",
		Streams: map[string]StreamOptions{"b": {Priority: High}}}
	for range 2 { // the second time there is nothing to migrate
		s := openAt(t, path, o)
		if p := s.Previous(); s.ID() != "cd2df5fa" || !p.Clean || p.Store != s.ID() || p.Boot != s.Boot()-1 {
			t.Errorf("store %s, boot %d, previous %+v", s.ID(), s.Boot(), p)
		}
		if st := s.Stats(); st.Backlog != 10 || st.Events != 1 || st.Dead != 1 || st.Losses != 1 || st.Priorities != [3]int64{0, 10, 0} {
			t.Errorf("stats %+v", st)
		}
		r := s.Take(BacklogQueue, 99, 9999)
		if got, want := seqs(r), "b/1/2=b2 a/1/3=a3 b/1/3=b3 a/1/4=a4 b/1/4=b4 a/1/5=a5 b/1/5=b5 a/1/6=a6 b/1/6=b6 a/2/1=second boot"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		s.Release(r)
		if got, want := deadText(t, s), "a/1/2=a2:payload format "; got != want {
			t.Errorf("dead letters: got %s, want %s", got, want)
		}
		if v, err := s.Get(t.Context(), "shadow", "desired"); string(v) != "{}" || err != nil {
			t.Errorf("value %q, %v", v, err)
		}
		if k, ok := s.BootInfo(2); k != "kernel-2" || !ok {
			t.Errorf("kernel of boot 2: %q, %v", k, ok)
		}
		if err := s.submit(t.Context(), &job{read: integrity}); err != nil {
			t.Error(err)
		}
		closeStore(t, s)
	}
	// What is new works in a migrated file.
	s := openAt(t, path, o)
	defer closeStore(t, s)
	mustAppend(t, s, Readings, "b", "high")
	if n, err := s.RetryDead(t.Context()); n != 1 || err != nil {
		t.Errorf("retried %d, %v", n, err)
	}
	s.Split()
	if got := seqs(s.Take(BacklogQueue, 1, 9)); got != "b/5/1=high" {
		t.Errorf("got %s", got)
	}
}

// A migration that fails leaves the file as it was.
func TestMigrationIsOneTransaction(t *testing.T) {
	path := fixture(t)
	sqlite(t, path, "UPDATE state SET value='{' WHERE key='counters'") // the last thing that it reads
	d, err := connect(path, newLimits(MinMaxBytes), false)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.exec("BEGIN IMMEDIATE"), d.migrate(1)); !errors.Is(err, errBadState) || !strings.Contains(err.Error(), "schema version 1") {
		t.Errorf("got %v", err)
	}
	d.rollback()
	if n, err := d.number("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'readings_%'"); n != 0 || err != nil {
		t.Errorf("%d tables of version 2, %v", n, err)
	}
	if v, err := d.number("PRAGMA user_version"); v != 1 || err != nil {
		t.Errorf("version %d, %v", v, err)
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
}

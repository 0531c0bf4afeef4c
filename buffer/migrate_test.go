package buffer

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// testdata/v1.db and v2.db were made by the code of their version: two boots,
// of "a" and "b" the first reading acknowledged, a/1/2 refused, an event, a
// value of Update. In v2.db "b" has the priority High.
func fixture(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
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
	for _, tt := range []struct {
		file, id, readings string
		priorities         [3]int64
	}{
		{"v1.db", "cd2df5fa", "b/1/2=b2 a/1/3=a3 b/1/3=b3 a/1/4=a4 b/1/4=b4 a/1/5=a5 b/1/5=b5 a/1/6=a6 b/1/6=b6 a/2/1=second boot", [3]int64{0, 10, 0}},
		{"v2.db", "995c2220", "b/1/2=b2 b/1/3=b3 b/1/4=b4 b/1/5=b5 b/1/6=b6 a/1/3=a3 a/1/4=a4 a/1/5=a5 a/1/6=a6 a/2/1=second boot", [3]int64{0, 5, 5}},
	} {
		t.Run(tt.file, func(t *testing.T) { testMigration(t, fixture(t, tt.file), tt.id, tt.readings, tt.priorities) })
	}
}

func testMigration(t *testing.T, path, id, readings string, priorities [3]int64) {
	o := Options{MaxLoss: time.Hour, MaxBytes: MinMaxBytes, Machine: "machine-1", KernelBoot: "kernel-3",
		Streams: map[string]StreamOptions{"b": {Priority: High}}}
	for again := range 2 { // the second time there is nothing to migrate
		s := openAt(t, path, o)
		p := s.Previous()
		if s.ID() != id || !p.Clean || p.Store != s.ID() || p.Boot != s.Boot()-1 {
			t.Errorf("store %s, boot %d, previous %+v", s.ID(), s.Boot(), p)
		}
		if want := map[string]uint64{"a": 1}; again == 0 && !maps.Equal(p.Last, want) {
			t.Errorf("last numbers %v, want %v", p.Last, want)
		}
		if st := s.Stats(); st.Backlog != 10 || st.Events != 1 || st.Dead != 1 || st.Losses != 1 || st.Priorities != priorities {
			t.Errorf("stats %+v", st)
		}
		r := s.Take(BacklogQueue, 99, 9999)
		if got := seqs(r); got != readings {
			t.Errorf("got %s, want %s", got, readings)
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
		if n := rows(t, s, "state"); n != 2 { // what every commit writes is in progress alone
			t.Errorf("%d rows of state, want store and machine", n)
		}
		closeStore(t, s)
	}
	// What is new works in a migrated file.
	s := openAt(t, path, o)
	defer closeStore(t, s)
	mustAppend(t, s, Readings, "b", "high")
	if n, err := s.RetryAllDead(t.Context()); n != 1 || err != nil {
		t.Errorf("retried %d, %v", n, err)
	}
	s.Split()
	got := seqs(s.Take(BacklogQueue, 99, 9999))
	if high, normal := strings.Index(got, "b/5/1=high"), strings.Index(got, "a/1/3"); high < 0 || high > normal {
		t.Errorf("got %s", got)
	}
}

// A migration that fails leaves the file as it was.
func TestMigrationIsOneTransaction(t *testing.T) {
	path := fixture(t, "v1.db")
	sqlite(t, path, "UPDATE state SET value='{' WHERE key='counters'") // the last thing that it reads
	d, err := connect(path, newLimits(MinMaxBytes), false)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.begin(), d.migrate(1)); !errors.Is(err, errBadState) || !strings.Contains(err.Error(), "schema version 1") {
		t.Errorf("got %v", err)
	}
	d.rollback()
	if n, err := d.number("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'readings_%' OR name='progress'"); n != 0 || err != nil {
		t.Errorf("%d tables of later versions, %v", n, err)
	}
	if v, err := d.number("PRAGMA user_version"); v != 1 || err != nil {
		t.Errorf("version %d, %v", v, err)
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
}

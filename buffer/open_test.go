package buffer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"
)

func textLog(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

func TestOpenRefuses(t *testing.T) {
	write := func(content string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	notWritable := "read-only"
	if os.Geteuid() != 0 {
		notWritable = "belongs to user 0"
	}
	for _, tt := range []struct {
		name    string
		prepare func(t *testing.T, path string)
		path    string
		want    error
		text    string
	}{
		{name: "text file", prepare: write("# my precious notes\n"), want: ErrNotDatabase, text: "move the file away"},
		{name: "long text file", prepare: write(strings.Repeat("precious ", 1000)), want: ErrNotDatabase, text: "move the file away"},
		{name: "database of another program", prepare: func(t *testing.T, path string) { sqlite(t, path, "CREATE TABLE x(a)") },
			want: ErrNotDatabase, text: "another program"},
		{name: "newer version", prepare: func(t *testing.T, path string) {
			closeStore(t, openAt(t, path, Options{}))
			sqlite(t, path, fmt.Sprint("PRAGMA user_version=", schemaVersion+1))
		}, want: ErrNewer, text: fmt.Sprintf("schema version %d, this program knows %d", schemaVersion+1, schemaVersion)},
		{name: "in use", prepare: func(t *testing.T, path string) {
			s := openAt(t, path, Options{})
			t.Cleanup(func() { s.Close(context.Background()) })
		}, want: ErrInUse, text: fmt.Sprintf("process id %d", os.Getpid())},
		{name: "no directory", path: "/nonexistent/queue.db", want: ErrNoDirectory, text: "create /nonexistent"},
		{name: "not writable", path: "/sys/queue.db", want: ErrNotWritable, text: notWritable},
		{name: "path is a directory", prepare: func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, want: ErrNotRegular, text: "move "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := tt.path
			if path == "" {
				path = filepath.Join(t.TempDir(), "queue.db")
				tt.prepare(t, path)
			}
			before, _ := os.ReadFile(path)
			var e *OpenError // of /sys only making a file shows that it cannot be
			if err := Examine(path); tt.path != "/sys/queue.db" && (!errors.Is(err, tt.want) || !errors.As(err, &e) || !strings.Contains(err.Error(), tt.text) || e.Remedy == "") {
				t.Errorf("examined: got %v, want %v with %q", err, tt.want, tt.text)
			}
			s, err := Open(t.Context(), path, Options{})
			if err == nil {
				s.Close(t.Context())
				t.Fatal("opened")
			}
			if !errors.Is(err, tt.want) || !errors.As(err, &e) || !strings.Contains(err.Error(), tt.text) || e.Remedy == "" {
				t.Errorf("got %v, want %v with %q", err, tt.want, tt.text)
			}
			after, _ := os.ReadFile(path)
			if string(before) != string(after) {
				t.Error("the file was changed")
			}
		})
	}
	for _, tt := range []struct {
		o    Options
		text string
	}{
		{Options{MaxBytes: 1}, "at least 1048576 (1 MiB)"}, {Options{MaxBytes: -1}, "at least"}, {Options{MaxLoss: -1}, "loss"},
		{Options{MinFree: -1}, "free"}, {Options{WhenFull: 9}, "policy 9"}, {Options{WhenFull: Thin}, "function"},
		{Options{Streams: map[string]StreamOptions{"hall": {Priority: 2}}}, "hall"}, {Options{Streams: map[string]StreamOptions{"hall": {TTL: -1}}}, "hall"},
	} {
		_, err := Open(t.Context(), filepath.Join(t.TempDir(), "queue.db"), tt.o)
		if !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%+v: got %v", tt.o, err)
		}
	}
}

// sqlite runs statements on a file as another program would.
func sqlite(t *testing.T, path, statement string) {
	t.Helper()
	c, err := (&sqlite3.SQLiteDriver{}).Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.(*sqlite3.SQLiteConn).ExecContext(context.Background(), statement, nil); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedStoreIsSetAside(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(b []byte)
	}{
		{"magic destroyed", func(b []byte) { copy(b, "xxxxxxxxxxxxxxxx") }},
		{"first page zeroed", func(b []byte) { clear(b[:pageSize]) }},
		{"schema destroyed", func(b []byte) { copy(b[100:pageSize], strings.Repeat("\xff", int(pageSize))) }},
		{"every other page destroyed", func(b []byte) { clear(b[pageSize:]) }},
		{"impossible page size", func(b []byte) { binary.BigEndian.PutUint16(b[16:], 12345) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "queue.db")
			s := openAt(t, path, Options{})
			id := s.ID()
			for range 10 {
				mustAppend(t, s, Readings, "a", "x")
			}
			closeStore(t, s)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			tt.damage(b)
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(path + "-wal"); err != nil {
				t.Fatal(err)
			}
			s = openAt(t, path, Options{})
			defer closeStore(t, s)
			if s.ID() == id {
				t.Error("same id")
			}
			aside, _ := filepath.Glob(path + ".corrupt-*Z")
			if len(aside) != 1 {
				t.Errorf("set aside: %v", aside)
			}
			salvaged(t, s)
			n := s.Stats().Backlog
			l := s.TakeLosses(9)
			if n == 10 && len(l) == 0 {
				return // only the header was damaged
			}
			if n != 0 || len(l) == 0 || l[len(l)-1].Reason != "corrupt" || l[len(l)-1].Stream != "" {
				t.Errorf("%d records, losses %+v", n, l)
			}
		})
	}
}

func TestDamagedSegment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := openAt(t, path, Options{})
	for range 3 {
		mustAppend(t, s, Readings, "a", "x")
	}
	closeStore(t, s)
	sqlite(t, path, "UPDATE readings SET body=zeroblob(10) WHERE id=2")
	s = openAt(t, path, Options{})
	defer closeStore(t, s)
	if got, want := seqs(s.Take(BacklogLane, 9, 100)), "a/1/1=x a/1/3=x"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	l := s.TakeLosses(9)
	if len(l) != 1 || l[0].Reason != "corrupt" || l[0].Count != 1 || number(l[0].Run) != 1 || l[0].Stream != "" {
		t.Errorf("losses %+v", l)
	}
	if n := rows(t, s, "readings"); n != 2 {
		t.Errorf("%d segments, want 2", n)
	}
}

func TestClonedCard(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := openAt(t, path, Options{Machine: "one"})
	id := s.ID()
	mustAppend(t, s, Readings, "a", "x")
	closeStore(t, s)
	s = openAt(t, path, Options{Machine: "two"})
	defer closeStore(t, s)
	if s.ID() == id || s.Boot() != 2 || s.Previous().Store != id {
		t.Errorf("id %s was %s, boot %d, previous %+v", s.ID(), id, s.Boot(), s.Previous())
	}
	mustAppend(t, s, Readings, "a", "y")
	old, live := s.Take(BacklogLane, 9, 99), s.Take(LiveLane, 9, 99)
	if len(old) != 1 || number(old[0].Run) != 1 || len(live) != 1 || live[0].Run != s.Run() {
		t.Errorf("backlog %+v, live %+v", old, live)
	}
}

func TestLimits(t *testing.T) {
	body := func(i int) []byte { // does not compress
		b := make([]byte, 1000)
		x := uint32(i)*2654435761 + 1
		for j := range b {
			x ^= x << 13
			x ^= x >> 17
			x ^= x << 5
			b[j] = byte(x)
		}
		return b
	}
	const n = 5000 // five times the limit
	t.Run("drop oldest", func(t *testing.T) {
		s := newStore(t, Options{MaxBytes: MinMaxBytes, MaxLoss: 10 * time.Millisecond})
		var pinned []Record
		for i := range n {
			if _, err := s.Append(t.Context(), Readings, "a", 0, body(i)); err != nil {
				t.Fatal(err)
			}
			if i == 100 {
				if err := s.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				pinned = s.Take(BacklogLane, 1, 1<<20)
				pinned = append(pinned, s.Take(LiveLane, 1, 1<<20)...)
			}
			if st := s.Stats(); st.Bytes > st.MaxBytes {
				t.Fatalf("%d bytes, at most %d", st.Bytes, st.MaxBytes)
			}
		}
		if _, err := s.Append(t.Context(), Events, "event", 0, body(0)); err != nil {
			t.Fatal(err)
		}
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		var lost uint64
		for _, l := range s.TakeLosses(1000) {
			if l.Reason != "evicted" || l.Stream != "a" {
				t.Errorf("loss %+v", l)
			}
			lost += l.Count
		}
		st := s.Stats()
		if uint64(st.Live+st.Backlog)+lost != n || lost != st.Evicted || lost < n/2 {
			t.Errorf("%d lost of %d, stats %+v", lost, n, st)
		}
		if len(pinned) == 0 {
			t.Fatal("nothing was pinned")
		}
		s.Release(pinned)
		r := s.Take(BacklogLane, 1, 1<<20)
		if len(r) != 1 || r[0].Seq != pinned[0].Seq {
			t.Errorf("first of the backlog: %d records from %d", len(r), r[0].Seq)
		}
	})
	t.Run("reject new", func(t *testing.T) {
		s := newStore(t, Options{MaxBytes: MinMaxBytes, MaxLoss: 10 * time.Millisecond, WhenFull: RejectNew})
		rejected := 0
		for i := range n {
			_, err := s.Append(t.Context(), Readings, "a", 0, body(i))
			if errors.Is(err, ErrFull) {
				rejected++
			} else if err != nil {
				t.Fatal(err)
			}
		}
		// The reserve is for events.
		for i := range 5 {
			if _, err := s.Append(t.Context(), Events, "event", 0, body(i)); err != nil {
				t.Errorf("event %d: %v", i, err)
			}
		}
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		l := s.TakeLosses(1000)
		st := s.Stats()
		var lost uint64
		for _, e := range l {
			lost += e.Count
		}
		if lost != uint64(rejected) || st.Rejected != lost || st.Live+st.Backlog+int64(lost) != n || st.Evicted != 0 || st.Bytes > st.MaxBytes {
			t.Errorf("%d rejected, %d in the ledger, stats %+v", rejected, lost, st)
		}
		// Delivery makes room.
		for {
			r := append(s.Take(BacklogLane, 100, 1<<20), s.Take(LiveLane, 100, 1<<20)...)
			if len(r) == 0 {
				break
			}
			s.Ack(r)
		}
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Append(t.Context(), Readings, "a", 0, body(0)); err != nil {
			t.Errorf("after delivery: %v", err)
		}
	})
	t.Run("sqlite's own limit", func(t *testing.T) {
		s := newStore(t, Options{MaxBytes: 8 << 20, MaxLoss: time.Hour})
		err := s.submit(context.Background(), &job{read: func(c *committer) error {
			pages, err := c.db.number("PRAGMA page_count")
			return errors.Join(err, c.db.exec(fmt.Sprintf("PRAGMA max_page_count=%d", pages+20)))
		}})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 400 {
			if _, err := s.Append(t.Context(), Readings, "a", 0, body(i)); err != nil {
				t.Fatal(err)
			}
			if i%10 == 0 {
				if err := s.Flush(t.Context()); err != nil {
					t.Fatalf("flush %d: %v", i, err)
				}
			}
		}
		st := s.Stats()
		if st.Degraded != nil || st.Evicted == 0 || st.Live+st.Backlog+int64(st.Evicted) != 400 {
			t.Errorf("stats %+v", st)
		}
	})
	t.Run("free space", func(t *testing.T) {
		s := newStore(t, Options{MaxLoss: time.Hour, MinFree: 1 << 60})
		for i := range 1000 {
			if _, err := s.Append(t.Context(), Readings, "a", 0, body(i)); err != nil {
				t.Fatal(err)
			}
			if i%10 == 0 {
				if err := s.Flush(t.Context()); errors.Is(err, ErrNotDurable) != (s.Stats().Front > 0) {
					t.Fatalf("%d left in RAM: %v", s.Stats().Front, err)
				}
			}
		}
		st := s.Stats()
		if st.Evicted == 0 || st.Live+st.Backlog+int64(st.Evicted) != 1000 || st.Degraded != nil || !st.Full {
			t.Errorf("stats %+v", st)
		}
		if size := fileSize(s.path); size > 40*pageSize {
			t.Errorf("the file grew to %d bytes", size)
		}
	})
}

func TestClosed(t *testing.T) {
	s := newStore(t, Options{MaxLoss: time.Hour})
	closeStore(t, s)
	closeStore(t, s)
	if _, err := s.Append(t.Context(), Readings, "a", 0, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("append: %v", err)
	}
	if err := s.Flush(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("flush: %v", err)
	}
	if r := s.Take(BacklogLane, 1, 1); r != nil {
		t.Errorf("took %v", r)
	}
	_ = s.Stats()
}

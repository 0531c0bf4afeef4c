package buffer

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// killed makes a store as kill -9 leaves it: n commits in the log of a boot that did not end.
func killed(t *testing.T, n int) (path, id string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "queue.db")
	s := openAt(t, path, Options{})
	for i := range n {
		mustAppend(t, s, Readings, "a", fmt.Sprint(i))
	}
	return crash(t, s, path), s.ID()
}

func edit(t *testing.T, path string, f func(b []byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, f(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

// One wrong byte in the log is not a shorter log: the store is set aside, no identity is used
// again, and the loss is told.
func TestDamagedLog(t *testing.T) {
	for _, at := range []int{2, 18, 27, 32, 45, 100, 5000, 9000, 20000} {
		t.Run(fmt.Sprint("byte ", at), func(t *testing.T) {
			path, id := killed(t, 20)
			edit(t, path+"-wal", func(b []byte) []byte { b[at] ^= 0x10; return b })
			s := openAt(t, path, Options{})
			defer closeStore(t, s)
			o := salvaged(t, s)
			if o.New || o.SetAside == "" || o.Lost != -1 || s.ID() == id || s.Boot() < 2 || s.Previous().Store != id {
				t.Errorf("id %s was %s, boot %d, %+v, previous %+v", s.ID(), id, s.Boot(), o, s.Previous())
			}
			if at > 9000 && o.Salvaged == 0 {
				t.Error("nothing of what lies before the damage was salvaged")
			}
			if err := s.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			told := false
			for _, l := range s.TakeLosses(9) {
				told = told || l.Reason == reasonCorrupt && l.Stream == "" && l.Count == 0
			}
			if !told {
				t.Error("the loss is not told")
			}
		})
	}
}

// What a power cut leaves of the last transaction is not damage, even twice in a row; what was
// committed before is found.
func TestTornLog(t *testing.T) {
	const frame = frameHeader + int(pageSize)
	for _, tt := range []struct {
		name string
		tear func(b []byte) []byte
		want int64
	}{
		{"nothing", func(b []byte) []byte { return b }, 20},
		{"inside the commit frame", func(b []byte) []byte { return b[:len(b)-100] }, 19},
		{"sector lost before the commit frame", func(b []byte) []byte { clear(b[len(b)-2*frame:][:512]); return b }, 19},
		{"commit frame and noise behind", func(b []byte) []byte { b[len(b)-1] ^= 1; return append(b, make([]byte, 3*frame)...) }, 19},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path, id := killed(t, 20)
			edit(t, path+"-wal", func(b []byte) []byte { return tt.tear(append([]byte(nil), logOf(t, b)...)) })
			for range 2 {
				s := openAt(t, path, Options{})
				if o := s.Opened(); o.SetAside != "" || s.ID() != id || s.Stats().Backlog != tt.want {
					t.Fatalf("id %s was %s, %d records, want %d, %+v", s.ID(), id, s.Stats().Backlog, tt.want, o)
				}
				path = crash(t, s, path)
				edit(t, path+"-wal", func(b []byte) []byte { b = logOf(t, b); b[len(b)-1] ^= 1; return b }) // the boot is torn
			}
		})
	}
}

// A long torn transaction leaves its commit frame where the short one that is torn next does not
// reach: together they are not two commits.
func TestTornTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := openAt(t, path, Options{})
	mustAppend(t, s, Readings, "a", "x")
	before := crash(t, s, path)
	kept, err := os.ReadFile(before + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	at := len(logOf(t, kept)) // where the transaction of the next boot begins
	s = openAt(t, before, Options{})
	id := s.ID()
	first := crash(t, s, before)
	edit(t, first+"-wal", func(b []byte) []byte { // one transaction of many frames, the first of which is torn
		const size = frameHeader + int(pageSize)
		b = logOf(t, b)
		last := append([]byte(nil), b[len(b)-size:]...)
		for range 20 {
			b = append(b, last...)
		}
		for i := at; i < len(b)-size; i += size {
			clear(b[i+4:][:4])
		}
		b[at+100] ^= 1
		return b
	})
	s = openAt(t, first, Options{})
	second := crash(t, s, first)
	edit(t, second+"-wal", func(b []byte) []byte { b[at+100] ^= 1; return b })
	s = openAt(t, second, Options{})
	defer closeStore(t, s)
	if o := s.Opened(); o.SetAside != "" || s.ID() != id || s.Stats().Backlog != 1 {
		t.Errorf("id %s was %s, %d records, %+v", s.ID(), id, s.Stats().Backlog, o)
	}
}

// logOf returns the log without frames of before it was reset.
func logOf(t *testing.T, b []byte) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	scan, err := scanLog(f, uint32(pageSize))
	if err != nil || scan.end <= logHeader {
		t.Fatalf("%+v, %v", scan, err)
	}
	return b[:scan.end]
}

// logNow returns the log of a store whose committer has nothing left to do.
func logNow(t *testing.T, s *Store) (b []byte) {
	t.Helper()
	err := s.submit(t.Context(), &job{read: func(*committer) (err error) {
		b, err = os.ReadFile(s.path + "-wal")
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The log becomes longer in a few steps, not with each commit, and it is copied before it would be
// longer than its limit: in a new store, in one that was killed, whose log has commits already, and
// where the kernel does not tell how many bytes are written.
func TestLengthOfTheLog(t *testing.T) {
	o := Options{MaxLoss: time.Hour, MaxBytes: 4 << 20}
	limit := LogSize(o.MaxBytes)
	for _, tt := range []struct {
		name    string
		prepare func(t *testing.T, path string) string
	}{
		{"new", func(t *testing.T, path string) string { return path }},
		{"killed", func(t *testing.T, path string) string {
			s := openAt(t, path, o)
			for n := 0; int64(len(logOf(t, logNow(t, s)))) < limit*3/5; n++ {
				flushed(t, s, noise(n, 1000))
			}
			path = crash(t, s, path)
			edit(t, path+"-wal", func(b []byte) []byte { return logOf(t, b) })
			return path
		}},
		{"bytes are unknown", func(t *testing.T, path string) string { return path }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := openAt(t, tt.prepare(t, filepath.Join(t.TempDir(), "queue.db")), o)
			defer closeStore(t, s)
			err := s.submit(t.Context(), &job{read: func(c *committer) error {
				if tt.name == "bytes are unknown" {
					c.written.close()
					c.written, c.counted = ioCounter{}, 0
				}
				return nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			begin := len(logNow(t, s))
			steps, length := 0, begin
			const size = 2 * 1100 // of a commit, at least
			for commits := range 4 * int(limit) / size {
				flushed(t, s, noise(commits, 1000))
				if n := len(logNow(t, s)); n != length {
					steps, length = steps+1, n
				}
				if length > begin+int(limit)/4+commits*4096 || length > int(limit) {
					t.Fatalf("%d bytes after %d commits", length, commits)
				}
			}
			if steps > 20 {
				t.Errorf("%d bytes after %d steps, want at most 20", length, steps)
			}
		})
	}
}

// Below MinFree the log takes no more of the file system than commits need.
func TestLogBelowMinFree(t *testing.T) {
	s := newStore(t, Options{MaxLoss: time.Hour, MaxBytes: 4 << 20, MinFree: 1 << 60})
	length := len(logNow(t, s))
	for i := range 40 {
		mustAppend(t, s, Events, "e", string(noise(i, 1000)))
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		b := logNow(t, s)
		if length = max(length, len(logOf(t, b))); len(b) > length {
			t.Fatalf("%d bytes after %d commits, which need %d", len(b), i+1, length)
		}
	}
}

// flushed appends a reading and commits it.
func flushed(t *testing.T, s *Store, body []byte) {
	t.Helper()
	mustAppend(t, s, Readings, "a", string(body))
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A path that is a link: what belongs to the store is beside the file that it means, where Open
// looks for damage too.
func TestPathThatIsALink(t *testing.T) {
	path, id := killed(t, 20)
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	edit(t, path+"-wal", func(b []byte) []byte { b[5000] ^= 0x10; return b })
	s := openAt(t, link, Options{})
	defer closeStore(t, s)
	if o := s.Opened(); o.SetAside == "" || s.ID() == id {
		t.Errorf("id %s was %s, %+v", s.ID(), id, o)
	}
}

package buffer

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

// A bit that flips in the text of the schema is damage like any other: the store is set aside, and
// what can be read of it is salvaged.
func TestDamagedSchema(t *testing.T) {
	for _, tt := range []struct{ table, was, is string }{
		{"readings", "crc  ", "srk  "},
		{"readings", "level INTEGER", "lfvel INTEGER"},
		{"events", "body  BLOB", "bodx  BLOB"},
		{"loss", "reason TEXT", "season TEXT"},
		{"dead", "seq_to INTEGER", "sfq_to INTEGER"},
		{"run", "kernel  TEXT", "kfrnel  TEXT"},
		{"kv", "bucket TEXT", "cucket TEXT"},
		{"progress", "body BLOB", "bodx BLOB"},
		{"state", "value)", "vblue)"},
		{"ack", "bits BLOB", "cits BLOB"},
		{"readings_high", "CREATE TABLE readings_high", "CREATE TABLE readings_hihg"},
	} {
		t.Run(tt.table+" "+tt.is, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "queue.db")
			o := Options{MaxLoss: time.Hour, MaxBytes: 8 << 20}
			s := openAt(t, path, o)
			for i := range 20 {
				mustAppend(t, s, Readings, "a", fmt.Sprint(i))
			}
			if err := s.Update(t.Context(), func(tx *Tx) error { return tx.Put("b", "k", []byte("v")) }); err != nil {
				t.Fatal(err)
			}
			closeStore(t, s)
			sqlite(t, path, "PRAGMA wal_checkpoint(TRUNCATE)")
			edit(t, path, func(b []byte) []byte {
				at := bytes.Index(b, []byte("CREATE TABLE "+tt.table+"("))
				if at < 0 {
					t.Fatal("no such table")
				}
				n := bytes.Index(b[at:], []byte(tt.was))
				if n < 0 {
					t.Fatalf("no %q in it", tt.was)
				}
				copy(b[at+n:], tt.is)
				return b
			})
			s = openAt(t, path, o)
			used := func(when string) {
				t.Helper()
				for _, f := range []func() error{
					func() error { _, err := s.Append(t.Context(), Readings, "a", 0, []byte("x")); return err },
					func() error { return s.Refuse(t.Context(), s.Take(LiveLane, 1, 9), "r") },
					func() error { s.Ack(s.Take(BacklogLane, 1, 9)); return s.Flush(t.Context()) },
					func() error { _, err := s.Get(t.Context(), "b", "k"); return err },
					func() error { _, err := s.Runs(t.Context(), ""); return err },
				} {
					if err := f(); err != nil {
						t.Errorf("%s: %v", when, err)
					}
				}
				s.TakeLosses(9)
			}
			used("damaged")
			closeStore(t, s)
			s = openAt(t, path, o)
			used("later")
			if err := s.submit(t.Context(), &job{read: integrity}); err != nil {
				t.Error(err)
			}
			closeStore(t, s)
		})
	}
}

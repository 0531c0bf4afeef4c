package buffer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// salvaged waits until everything that can be salvaged is there.
func salvaged(t *testing.T, s *Store) Opened {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		if o := s.Opened(); !o.Salvaging {
			return o
		}
		select {
		case <-s.Ready():
		case <-time.After(time.Millisecond):
		case <-deadline:
			t.Fatal("salvage does not end")
		}
	}
}

// damageBlocks overwrites every nth block of a disk in a range of a file.
func damageBlocks(t *testing.T, path string, from, to, every int64) (n int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	const block = 4096
	for p := from; p < min(to, st.Size()/block); p += every {
		if _, err := f.WriteAt([]byte(strings.Repeat("\xff", block)), p*block); err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// What can be read of a damaged store is delivered under its old identity, by the next boot; the
// rest is in the ledger.
func TestSalvage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	o := Options{MaxLoss: time.Hour, MaxBytes: 8 << 20, KernelBoot: "kernel-1", Streams: map[string]StreamOptions{"high": {Priority: High}}}
	s := openAt(t, path, o)
	id, first := s.ID(), s.Run()
	const n = 2000
	for i := range n {
		if _, err := s.Append(t.Context(), Readings, "a", time.Duration(i), noise(i, 500)); err != nil {
			t.Fatal(err)
		}
		if i%20 == 0 {
			mustAppend(t, s, Readings, "high", "h")
			if err := s.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if i == 1000 {
			s.Ack(s.Take(BacklogLane, 10, 1<<20))
			if err := s.Refuse(t.Context(), s.Take(LiveLane, 1, 1), "format"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Update(t.Context(), func(tx *Tx) error { return tx.Put("cmd", "1", []byte("done")) }); err != nil {
		t.Fatal(err)
	}
	before := s.Stats()
	closeStore(t, s)
	damaged := damageBlocks(t, path, 60, 250, 17)
	sqlite(t, path, "PRAGMA wal_checkpoint(TRUNCATE)")
	if err := os.WriteFile(damagedPath(path), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.KernelBoot = "kernel-2"
	start := time.Now()
	s = openAt(t, path, o)
	took := time.Since(start)
	if s.ID() == id || s.Boot() != 2 || s.Previous().Store != id || s.Previous().Boot != 1 || s.Previous().Last["a"] != n {
		t.Errorf("store %s, boot %d, previous %+v", s.ID(), s.Boot(), s.Previous())
	}
	mustAppend(t, s, Readings, "a", "new")
	// A restart in between goes on with it.
	closeStore(t, s)
	s = openAt(t, path, o)
	opened := salvaged(t, s)
	if v, err := s.Get(t.Context(), "cmd", "1"); string(v) != "done" || err != nil {
		t.Errorf("value %q, %v", v, err)
	}
	st := s.Stats()
	total := before.Live + before.Backlog
	if opened.Salvaged+opened.Lost != total || opened.Lost == 0 || opened.Lost > int64(damaged)*60 || st.Backlog+st.Live != opened.Salvaged+1 || st.Dead != before.Dead {
		t.Errorf("%+v, of %d; stats %+v", opened, total, st)
	}
	t.Logf("%d of %d blocks destroyed, %d of %d readings lost, Open took %v", damaged, 250-60, opened.Lost, total, took)
	last, count := map[string]uint64{}, int64(0)
	for r := s.Take(BacklogLane, 100, 1<<20); len(r) > 0; r = s.Take(BacklogLane, 100, 1<<20) {
		for _, x := range r {
			switch {
			case x.Run == first && (x.Kernel != "kernel-1" || x.Seq <= last[x.Stream]), x.Run != first && x.Kernel != "kernel-2":
				t.Fatalf("got %s %s/%d/%d after %d", x.Kernel, x.Stream, number(x.Run), x.Seq, last[x.Stream])
			case x.Run == first && x.Stream == "a" && string(x.Body) != string(noise(int(x.Seq)-1, 500)):
				t.Fatalf("%d has another body", x.Seq)
			}
			if x.Run == first {
				last[x.Stream] = x.Seq
				count++
			}
		}
		s.Ack(r)
	}
	if count != opened.Salvaged {
		t.Errorf("took %d records, %d were salvaged", count, opened.Salvaged)
	}
	reasons := map[string]int{}
	for _, l := range s.TakeLosses(99) {
		reasons[fmt.Sprintf("%s %s %d", l.Reason, l.Stream, number(l.Run))]++
		if l.Run != first && l.Run != "" {
			t.Errorf("loss %+v", l)
		}
	}
	if len(reasons) != 4 || reasons["corrupt a 1"] != 1 || reasons["corrupt high 1"] != 1 || reasons["corrupt  0"] != 1 || reasons["refused high 1"]+reasons["refused a 1"] != 1 {
		t.Errorf("losses %v", reasons)
	}
	if err := s.submit(t.Context(), &job{read: integrity}); err != nil {
		t.Error(err)
	}
	closeStore(t, s)
}

// A cut after the rename, before the new store is made, loses nothing.
func TestSetAsideInterrupted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := openAt(t, path, Options{MaxLoss: time.Hour})
	id := s.ID()
	mustAppend(t, s, Readings, "a", "x")
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	path = crash(t, s, path) // its log is needed
	aside, err := setAside(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(aside+"-wal", path+"-wal"); err != nil { // not even that was done
		t.Fatal(err)
	}
	for i := range 2 {
		s = openAt(t, path, Options{MaxLoss: time.Hour})
		if o := salvaged(t, s); i == 0 && (o.SetAside != aside || o.Salvaged != 1 || o.Lost != 0) {
			t.Errorf("%+v", o)
		}
		r := s.Take(BacklogLane, 9, 99)
		if seqs(r) != "a/1/1=x" || s.ID() == id {
			t.Errorf("got %s", seqs(r))
		}
		closeStore(t, s)
	}
}

// A store that is found damaged while it is used is replaced without a stop: identity and numbers
// go on, what is in RAM is kept.
func TestDamageInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := openAt(t, path, Options{MaxLoss: time.Hour, MaxBytes: 8 << 20})
	id := s.ID()
	const n = 1500
	for i := range n {
		if _, err := s.Append(t.Context(), Readings, "a", 0, noise(i, 500)); err != nil {
			t.Fatal(err)
		}
		if i%20 == 0 {
			if err := s.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Update(t.Context(), func(tx *Tx) error { return tx.Put("cmd", "1", []byte("done")) }); err != nil {
		t.Fatal(err)
	}
	acked := s.Take(BacklogLane, 3, 1<<20)
	flying := s.Take(BacklogLane, 3, 1<<20)
	s.Ack(acked)
	// The next statement meets a damaged page.
	err := s.submit(context.Background(), &job{read: func(c *committer) error {
		if err := errors.Join(c.db.exec("PRAGMA wal_checkpoint(TRUNCATE)"), c.db.exec("PRAGMA shrink_memory")); err != nil {
			return err
		}
		damageBlocks(t, path, 40, 1000, 11)
		return c.db.exec("PRAGMA cache_size=0")
	}})
	if err != nil {
		t.Fatal(err)
	}
	drained := map[uint64]int{}
	last := uint64(0)
	for {
		r := s.Take(BacklogLane, 50, 1<<20)
		if len(r) == 0 {
			if o := s.Opened(); o.SetAside != "" && !o.Salvaging {
				if r = s.Take(BacklogLane, 50, 1<<20); len(r) == 0 {
					break
				}
			} else {
				select {
				case <-s.Ready():
				case <-time.After(10 * time.Second):
					t.Fatalf("nothing comes: %+v, %+v", s.Opened(), s.Stats())
				}
			}
		}
		for _, x := range r {
			if drained[x.Seq]++; number(x.Run) != 1 || string(x.Body) != string(noise(int(x.Seq)-1, 500)) {
				t.Fatalf("got %s/%d", x.Run, x.Seq)
			}
			if x.Seq <= last {
				t.Errorf("%d came after %d", x.Seq, last)
			}
			last = x.Seq
		}
		s.Ack(r)
	}
	for r := s.Take(LiveLane, 50, 1<<20); len(r) > 0; r = s.Take(LiveLane, 50, 1<<20) {
		for _, x := range r {
			drained[x.Seq]++
		}
		s.Ack(r)
	}
	for _, x := range append(acked, flying...) {
		if drained[x.Seq] > 0 {
			t.Errorf("%d came again", x.Seq)
		}
	}
	for seq, times := range drained {
		if times != 1 {
			t.Errorf("%d came %d times", seq, times)
		}
	}
	s.Ack(flying)
	if seq := mustAppend(t, s, Readings, "a", "new"); seq != n+1 || s.ID() != id {
		t.Errorf("store %s, seq %d", s.ID(), seq)
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	st, o := s.Stats(), s.Opened()
	if len(drained) < n/2 || len(drained) == n-6 || st.Degraded != nil || st.Live+st.Backlog != 1 || !strings.HasPrefix(o.SetAside, path+".corrupt-") {
		t.Errorf("%d drained of %d, %+v, %+v", len(drained), n, o, st)
	}
	if v, err := s.Get(t.Context(), "cmd", "1"); string(v) != "done" || err != nil {
		t.Errorf("value %q, %v", v, err)
	}
	corrupt := false
	for _, l := range s.TakeLosses(9) {
		corrupt = corrupt || l.Reason == reasonCorrupt && l.Stream == "a" && number(l.Run) == 1
	}
	if !corrupt {
		t.Error("not in the ledger")
	}
	closeStore(t, s)
	s = openAt(t, path, Options{MaxLoss: time.Hour, MaxBytes: 8 << 20})
	defer closeStore(t, s)
	if p := s.Previous(); s.ID() != id || s.Boot() != 2 || !p.Clean || p.Last["a"] != n+1 {
		t.Errorf("store %s, boot %d, previous %+v", s.ID(), s.Boot(), p)
	}
	if got := seqs(s.Take(BacklogLane, 9, 99)); got != fmt.Sprintf("a/1/%d=new", n+1) {
		t.Errorf("got %s", got)
	}
}

// What was set aside goes if it would exceed the limit.
func TestSetAsideWithinLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	o := Options{MaxLoss: time.Hour, MaxBytes: MinMaxBytes}
	for range 3 {
		s := openAt(t, path, o)
		for i := range 700 {
			if _, err := s.Append(t.Context(), Readings, "a", 0, noise(i, 1000)); err != nil {
				t.Fatal(err)
			}
			if i%10 == 0 {
				if err := s.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		closeStore(t, s)
		if err := os.WriteFile(damagedPath(path), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		s = openAt(t, path, o)
		if salvaged(t, s).Salvaged == 0 {
			t.Error("nothing salvaged")
		}
		closeStore(t, s)
		total := int64(0)
		files, _ := filepath.Glob(path + "*")
		for _, f := range files {
			total += fileSize(f)
		}
		if aside, _ := filepath.Glob(path + ".corrupt-*"); total > MinMaxBytes || len(aside) > 2 {
			t.Errorf("%d bytes in %v", total, files)
		}
	}
}

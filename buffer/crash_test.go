package buffer

import (
	"bufio"
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

var killRounds = flag.Int("buffer.kills", 20, "rounds of the kill test")

const (
	writerEnv = "FIELDGATE_BUFFER_WRITER"
	openerEnv = "FIELDGATE_BUFFER_OPENER"
)

// TestMain turns the test binary into the writer of TestKill, the worker of TestFaults, or another
// process that opens a store and prints the error.
func TestMain(m *testing.M) {
	if path := os.Getenv(writerEnv); path != "" {
		writeUntilKilled(path)
	}
	if path := os.Getenv(openerEnv); path != "" {
		_, err := Open(context.Background(), path, Options{})
		fmt.Print(err)
		return
	}
	if path := os.Getenv(workerEnv); path != "" {
		work(path)
		return
	}
	flag.Parse()
	os.Exit(m.Run())
}

// writeUntilKilled prints "run stream seq" after each strict Append, and "ack run seq" before each
// Ack, since an Ack may become durable at any time.
func writeUntilKilled(path string) {
	ctx := context.Background()
	s, err := Open(ctx, path, Options{MaxBytes: 16 << 20})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	var mu sync.Mutex
	say := func(format string, a ...any) {
		mu.Lock()
		fmt.Fprintf(os.Stdout, format+"\n", a...)
		mu.Unlock()
	}
	for w := range 4 {
		go func() {
			stream := fmt.Sprint("s", w)
			for i := 0; ; i++ {
				seq, err := s.Append(ctx, Readings, stream, 0, fmt.Appendf(nil, "%s-%d", stream, i+1))
				if err != nil {
					say("error %v", err)
					os.Exit(1)
				}
				say("%s %s %d", s.Run(), stream, seq)
			}
		}()
	}
	go func() {
		for {
			r := s.Take(BacklogLane, 20, 1<<20)
			r = append(r, s.Take(LiveLane, 20, 1<<20)...)
			s.Release(r[len(r)/4:])
			r = r[:len(r)/4]
			for _, x := range r {
				say("ack %s %s %d", x.Run, x.Stream, x.Seq)
			}
			s.Ack(r)
		}
	}()
	go func() {
		for i := 0; ; i++ {
			err := s.Update(ctx, func(tx *Tx) error { return tx.Put("n", "i", []byte(strconv.Itoa(i))) })
			if err != nil {
				say("error %v", err)
				os.Exit(1)
			}
			say("update %d", i)
		}
	}()
	select {}
}

// Every record whose Append had returned before a SIGKILL is found again, unless it was
// acknowledged.
func TestKill(t *testing.T) {
	rounds := *killRounds
	if testing.Short() {
		rounds = 4
	}
	path := filepath.Join(t.TempDir(), "queue.db")
	printed := map[ref]bool{}
	total := 0
	for round := range rounds {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), writerEnv+"="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := 50 + rand.IntN(600)
		update := -1
		scanner := bufio.NewScanner(out)
		for n := 0; scanner.Scan(); n++ {
			if n == lines {
				cmd.Process.Kill()
			}
			f := strings.Fields(scanner.Text())
			switch {
			case len(f) == 4 && f[0] == "ack":
				delete(printed, parseRef(f[1:]))
				printed[parseRef(f[1:])] = false
			case len(f) == 3:
				if _, acked := printed[parseRef(f)]; !acked {
					printed[parseRef(f)] = true
					total++
				}
			case len(f) == 2 && f[0] == "update":
				update, _ = strconv.Atoi(f[1])
			default:
				t.Errorf("round %d: writer says %q", round, scanner.Text())
			}
		}
		_ = cmd.Wait() // killed
		s := openAt(t, path, Options{MaxBytes: 16 << 20})
		if s.Previous().Clean {
			t.Errorf("round %d: a killed boot is clean", round)
		}
		v, err := s.Get(context.Background(), "n", "i")
		if i, _ := strconv.Atoi(string(v)); err != nil || i < update {
			t.Errorf("round %d: value %q, %v, want at least %d", round, v, err, update)
		}
		found := map[ref]bool{}
		for {
			r := s.Take(BacklogLane, 1000, 1<<20)
			if len(r) == 0 {
				break
			}
			for _, x := range r {
				found[refOf(x)] = true
				if want := fmt.Sprintf("%s-%d", x.Stream, x.Seq); string(x.Body) != want {
					t.Errorf("body %q, want %q", x.Body, want)
				}
			}
			s.Ack(r)
		}
		for r, unacked := range printed {
			if unacked && !found[r] {
				t.Errorf("round %d: %+v is lost", round, r)
			}
		}
		clear(printed)
		if err := s.submit(context.Background(), &job{read: integrity}); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
		closeStore(t, s)
		if t.Failed() {
			return
		}
	}
	t.Logf("%d rounds, %d records", rounds, total)
}

func parseRef(f []string) ref {
	seq, _ := strconv.Atoi(f[2])
	return ref{Readings, f[1], f[0], uint64(seq)}
}

func integrity(c *committer) error {
	v, err := c.db.value("PRAGMA integrity_check")
	if err == nil && v != "ok" {
		err = fmt.Errorf("integrity: %v", v)
	}
	return err
}

// A transaction whose COMMIT reported an error although it happened is applied and not repeated.
func TestCommitThatHappenedAfterAll(t *testing.T) {
	s := newStore(t, Options{MaxLoss: time.Hour})
	for range 3 {
		mustAppend(t, s, Readings, "a", "x")
	}
	r := s.Take(LiveLane, 2, 100)
	err := s.submit(context.Background(), &job{read: func(c *committer) error {
		t := &txn{n: c.n, open: map[lossKey]Loss{}, oldest: -1}
		var rounds []*round
		if err := c.db.begin(); err != nil {
			return err
		}
		c.build(t, nil, nil, &rounds)
		if err := errors.Join(c.write(t), c.db.commit()); err != nil {
			return err
		}
		c.inDoubt = t
		got, err := c.recover()
		if err == nil && got != t {
			err = errors.New("the transaction was not recognised")
		}
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Front != 0 || st.Live != 3 {
		t.Errorf("stats %+v", st)
	}
	s.Ack(r)
	s.Ack(s.Take(LiveLane, 9, 100))
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := rows(t, s, "readings"); n != 0 {
		t.Errorf("%d rows left", n)
	}
}

// A COMMIT that is refused undoes its update and is repeated.
func TestCommitThatFailsOnce(t *testing.T) {
	s := newStore(t, Options{MaxLoss: time.Hour})
	mustAppend(t, s, Readings, "a", "x")
	fails := 1
	err := s.submit(context.Background(), &job{read: func(c *committer) error {
		c.db.conn.RegisterCommitHook(func() int { fails--; return fails + 1 })
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	err = s.Update(t.Context(), func(tx *Tx) error {
		calls++
		return tx.Append(Events, "reply", 0, []byte("once"))
	})
	if err != nil || calls != 2 {
		t.Fatalf("update: %v after %d calls, want nil after 2", err, calls)
	}
	if got, want := seqs(s.Take(EventLane, 9, 100)), "reply/1/2=once"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	l := s.TakeLosses(9)
	if len(l) != 1 || l[0].Stream != "reply" || l[0].First != 1 || l[0].Count != 1 || l[0].Reason != "rejected" {
		t.Errorf("losses %+v", l)
	}
	if n := rows(t, s, "readings"); n != 1 {
		t.Errorf("%d segments, want 1", n)
	}
}

// While the database cannot be opened again readings come from RAM, and what is left of them is
// stored when it can.
func TestDegraded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	var log bytes.Buffer
	s := openAt(t, path, Options{MaxBytes: MinMaxBytes, MaxLoss: time.Hour, Log: textLog(&log)})
	mustAppend(t, s, Readings, "a", "stored")
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := s.submit(context.Background(), &job{read: func(c *committer) error { c.disconnect(); return nil }})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(t.Context()); !errors.Is(err, ErrNotDurable) {
		t.Fatalf("flush: %v, want ErrNotDurable", err)
	}
	if err := s.Flush(t.Context()); !errors.Is(err, ErrNotDurable) {
		t.Fatalf("second flush: %v, want ErrNotDurable", err)
	}
	if s.Stats().Degraded == nil {
		t.Error("not degraded")
	}
	const many = 2000 // more than the front can hold
	for range many {
		mustAppend(t, s, Readings, "a", strings.Repeat("x", 100))
	}
	s.mu.Lock()
	if s.front > s.limits.front {
		t.Errorf("front of %d bytes, at most %d", s.front, s.limits.front)
	}
	s.mu.Unlock()
	r := s.Take(LiveLane, 1, 1000)
	if len(r) != 1 {
		t.Error("nothing live to take")
	}
	s.Ack(r)
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	st := s.Stats()
	var lost uint64
	for _, l := range s.TakeLosses(100) {
		if l.Reason != "evicted" {
			t.Errorf("loss %+v", l)
		}
		lost += l.Count
	}
	if st.Degraded != nil || st.Live+st.Backlog+int64(lost)+1 != many+1 || lost == 0 {
		t.Errorf("%d lost, stats %+v", lost, st)
	}
	if n := strings.Count(log.String(), "\n"); n != 2 {
		t.Errorf("%d lines of log, want one when it failed and one when it worked again:\n%s", n, log.String())
	}
	closeStore(t, s)
}

// Opening and the first batch run the same statements whatever the backlog.
func TestOpenDoesNotDependOnBacklog(t *testing.T) {
	var statements [2]uint64
	for i, n := range []int{100, 100_000} {
		path := filepath.Join(t.TempDir(), "queue.db")
		s := openAt(t, path, Options{MaxLoss: time.Hour})
		for range n {
			mustAppend(t, s, Readings, "a", "0123456789")
		}
		closeStore(t, s)
		s = openAt(t, path, Options{MaxLoss: time.Hour})
		if st := s.Stats(); st.Backlog != int64(n) || !st.HasOldest || st.OldestUp != time.Second {
			t.Errorf("stats %+v", st)
		}
		if r := s.Take(BacklogLane, 50, 1<<20); len(r) != 50 || r[0].Seq != 1 {
			t.Errorf("took %d", len(r))
		}
		err := s.submit(context.Background(), &job{read: func(c *committer) error { statements[i] = c.db.statements; return nil }})
		if err != nil {
			t.Fatal(err)
		}
		closeStore(t, s)
	}
	if statements[0] != statements[1] {
		t.Errorf("%d statements with 100 readings, %d with 100000", statements[0], statements[1])
	}
}

func rows(t *testing.T, s *Store, table string) (n int64) {
	t.Helper()
	err := s.submit(context.Background(), &job{read: func(c *committer) error {
		return c.db.query("SELECT count(*) FROM "+table, func(v []driver.Value) bool { n = v[0].(int64); return true })
	}})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

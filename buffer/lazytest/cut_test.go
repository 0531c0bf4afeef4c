package lazytest

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	program   = flag.String("lazyfs.bin", "", "the program lazyfs; the test is skipped without it")
	cuts      = flag.Int("lazyfs.cuts", 50, "rounds that end by a cut at a random time")
	faults    = flag.Int("lazyfs.faults", 100, "rounds that end by a fault of LazyFS")
	perMedium = flag.Int("lazyfs.per-medium", 10, "rounds that one medium lives through")
)

const (
	storeName = "queue.db"

	// early is the max_loss of the writers that may lose something.
	early = 200 * time.Millisecond

	// faultTimeout is how long a round waits for its fault to be reached.
	faultTimeout = 2 * time.Second
)

// kinds of faults, and up to which n they are tried. Of the writes only pages are torn: the headers
// in the log are written by calls of their own, and each lies within a sector.
var kinds = []fault{
	{kind: "torn-op", suffix: "-wal", parts: []int{1, 7}, persist: []int{1}, n: 5000},
	{kind: "torn-op", suffix: "-wal", parts: []int{2, 5, 1}, persist: []int{1, 3}, n: 5000},
	{kind: "torn-op", suffix: "-wal", parts: []int{4, 4}, persist: []int{2}, n: 5000},
	{kind: "torn-op", parts: []int{4, 4}, persist: []int{1}, n: 500},
	{kind: "torn-op", parts: []int{1, 2, 1, 4}, persist: []int{2, 4}, n: 500},
	{kind: "torn-seq", suffix: "-wal", persist: []int{2}, n: 1000},
	{kind: "torn-seq", suffix: "-wal", persist: []int{1, 4}, n: 500},
	{kind: "torn-seq", persist: []int{1, 3}, n: 50},
	{kind: "clear-cache", suffix: "-wal", timing: "before", n: 1000},
	{kind: "clear-cache", suffix: "-wal", timing: "after", n: 1000},
	{kind: "clear-cache", timing: "before", n: 50},
	{kind: "clear-cache", timing: "after", n: 50},
}

// A round is one life of a writer.
type round struct {
	fault   fault
	kill    bool          // LazyFS is killed under the writer; else the writer is, before the cache is dropped
	after   time.Duration // when the cut comes
	lines   int           // or after so many, if it is not 0
	maxLoss time.Duration
	reject  bool
}

func (r round) String() string {
	end := map[bool]string{true: "LazyFS is killed", false: "the cache is dropped"}[r.kill]
	return fmt.Sprintf("%v, else %s after %v or %d lines; max_loss %v, rejects %v", r.fault, end, r.after, r.lines, r.maxLoss, r.reject)
}

// plan returns round i: the cuts are spread among the faults.
func plan(i int) round {
	r := round{kill: rand.IntN(2) == 0, after: faultTimeout, reject: i / *perMedium % 3 == 2}
	if rand.IntN(3) == 0 {
		r.maxLoss = early
	}
	total := *cuts + *faults
	before := i * *cuts / total // cuts
	switch {
	case (i+1)**cuts/total == before: // small n more often: opening a store writes too
		r.fault = kinds[(i-before)%len(kinds)]
		r.fault.n = int(math.Pow(float64(r.fault.n), rand.Float64()))
	case rand.IntN(2) == 0:
		r.lines = 20 + rand.IntN(2000)
	default:
		r.after = time.Duration(50+rand.IntN(1000)) * time.Millisecond
	}
	return r
}

// Totals of a run.
type totals struct {
	rounds, reached       int // of them, ended by their fault
	given, rejected       int // records promised, and rejected by a full store
	promised, found, lost int // looked for after each round
	young                 int // records lost within max_loss
	oldest                time.Duration
	slowest, slowestLazy  time.Duration // Open of the copy, and on LazyFS
}

func (sum *totals) add(h *history) {
	sum.given += len(h.said[stored])
	sum.rejected += len(h.said[rejected])
}

// TestLazyFS loses what was not synced, many times.
func TestLazyFS(t *testing.T) {
	switch {
	case *program == "":
		t.Skip("needs the program lazyfs: make test-lazyfs")
	case os.Geteuid() != 0:
		t.Skip("mounting LazyFS needs root")
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skip("mounting LazyFS needs /dev/fuse")
	}
	dir := t.TempDir()
	medium, at := filepath.Join(dir, "medium"), filepath.Join(dir, "mounted")
	if err := os.Mkdir(at, 0o700); err != nil {
		t.Fatal(err)
	}
	var sum totals
	h := newHistory()
	start := time.Now()
	for i := range *cuts + *faults {
		if i%*perMedium == 0 {
			sum.add(h)
			h = newHistory()
			if err := errors.Join(os.RemoveAll(medium), os.Mkdir(medium, 0o700)); err != nil {
				t.Fatal(err)
			}
		}
		r := plan(i)
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			cut := runUntilCut(t, medium, at, r, h, &sum)
			check(t, medium, h, cut, r.maxLoss, &sum)
		})
		sum.rounds++
		if t.Failed() {
			kept, err := os.MkdirTemp("", "lazytest-failed-")
			if err == nil {
				err = os.CopyFS(kept, os.DirFS(medium))
			}
			t.Logf("the medium is kept as %s: %v", kept, err)
			t.Fatalf("round %d: %v; the writer said last:\n%s", i, r, strings.Join(h.tail, "\n"))
		}
	}
	sum.add(h)
	t.Logf("%d rounds, %v each; %d of %d faults were reached", sum.rounds, (time.Since(start) / time.Duration(sum.rounds)).Round(time.Millisecond), sum.reached, *faults)
	t.Logf("%d records promised, %d rejected; after the cuts %d looked for that were not acknowledged: %d found, %d in the ledger, none missing",
		sum.given, sum.rejected, sum.promised, sum.found, sum.lost)
	t.Logf("%d records lost that were not promised yet, the oldest %v old at a max_loss of %v", sum.young, sum.oldest.Round(time.Millisecond), early)
	t.Logf("the slowest Open took %v, on LazyFS %v", sum.slowest.Round(time.Microsecond), sum.slowestLazy.Round(time.Microsecond))
}

// runUntilCut runs a writer on the medium, and returns when the cut came.
func runUntilCut(t *testing.T, medium, at string, r round, h *history, sum *totals) (cut time.Duration) {
	t.Helper()
	isolate(t)
	fs := mount(t, medium, at, r.fault)
	defer fs.stop()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	writer := exec.CommandContext(ctx, os.Args[0])
	writer.Env = append(os.Environ(), writerEnv+"="+filepath.Join(at, storeName), lossEnv+"="+r.maxLoss.String())
	writer.SysProcAttr = dying()
	if r.reject {
		writer.Env = append(writer.Env, policyEnv+"=1")
	}
	out, err := writer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	ours := make(chan struct{}) // closed when the cut is made here, not by the fault
	end := func() {
		once.Do(func() {
			cut = now()
			close(ours)
			if r.kill {
				fs.kill()
			} else {
				_ = writer.Process.Kill()
			}
		})
	}
	timer := time.AfterFunc(r.after, end)
	h.opened = 0
	n := 0
	for lines := bufio.NewReader(out); ; n++ {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // what the cut has cut off was not promised
		}
		if err := h.add(strings.TrimSuffix(line, "\n")); err != nil {
			t.Error(err)
		}
		if r.lines > 0 && n == r.lines {
			end()
		}
	}
	_ = writer.Wait() // killed, or its store has failed
	timer.Stop()
	if ctx.Err() != nil {
		t.Error("the writer hangs")
	}
	once.Do(func() {}) // waits for a cut that is being made
	sum.slowestLazy = max(sum.slowestLazy, h.opened)
	select {
	case <-ours:
	default:
		if r.fault.kind == "" || !fs.endsItself() {
			t.Fatalf("the writer ended, LazyFS did not: %s", strings.Join(h.tail, "\n"))
		}
		sum.reached++
		return fs.endedAt
	}
	if !r.kill {
		if err := fs.dropCache(); err != nil {
			t.Error(err)
		}
	}
	return cut
}

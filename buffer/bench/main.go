// Command bench compares package buffer with other ways to keep readings on a disk until they are
// delivered: rows of an SQLite table, a file for each (autopaho's queue), a log of segments
// (tidwall/wal), and the bare limits, which are SQLite's C code and append + fdatasync.
//
// It is a module of its own, so that the product does not depend on what it is compared with. Every
// measurement is a process of its own, whose peak memory is what it alone needs; what is compared
// takes turns, and figures are medians over the rounds, ratios medians of the ratios within a
// round. Bytes and flushes are those of a block device: a loop device with an ext4 of its own,
// which needs root. The flags of the Makefile must be set (CGO_CFLAGS), or SQLite calls fsync where
// fdatasync is meant: `make bench` does both.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

var (
	rounds  = flag.Int("rounds", 5, "rounds of each comparison")
	dir     = flag.String("dir", "", "directory for the stores, on the disk to be measured (default: the temporary one)")
	only    = flag.String("only", "", "run only the parts whose name contains this: ingest, drain, cycle, pace")
	largest = flag.Int("largest", 10_000_000, "readings of the largest backlog")
	online  = flag.Duration("online", 2*time.Minute, "how long the gateway is online, undisturbed")
	offline = flag.Duration("offline", 80*time.Second, "how long it is offline, in real time: the file system's journal is written every 5 s")
	todo    = flag.String("task", "", "internal: do this task, JSON, and print what was measured")
)

func main() {
	flag.Parse()
	if *todo != "" {
		fatal(runTask(*todo))
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	fatal(compare(ctx))
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A bench is one run of everything.
type bench struct {
	ctx   context.Context
	dir   string
	goals []goal
}

func compare(ctx context.Context) error {
	d, err := os.MkdirTemp(*dir, "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(d)
	if info, _ := debug.ReadBuildInfo(); info != nil && !slices.ContainsFunc(info.Settings, func(s debug.BuildSetting) bool {
		return s.Key == "CGO_CFLAGS" && strings.Contains(s.Value, "HAVE_FDATASYNC")
	}) {
		fmt.Println("CGO_CFLAGS are not those of the Makefile: SQLite calls fsync, about twice the bytes and flushes")
	}
	fmt.Printf("readings of about %d bytes of JSON, in %s; medians of %d rounds\n", len(reading(0)), d, *rounds)
	b := &bench{ctx: ctx, dir: d}
	for _, part := range []struct {
		name string
		run  func() error
	}{{"ingest", b.ingest}, {"drain", b.drain}, {"cycle", b.cycle}, {"pace", b.pace}} {
		if !strings.Contains(part.name, *only) {
			continue
		}
		fmt.Println()
		if err := part.run(); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	b.printGoals()
	return nil
}

// ingest measures how fast readings become durable.
func (b *bench) ingest() error {
	contest := []struct {
		name  string
		tasks []task // the first is ours
	}{
		{"one by one", []task{
			{Queue: "buffer", Name: "buffer, max_loss 0s", N: 4000, Group: 1},
			{Queue: "sqlite-c", Name: "SQLite's C code, rows", N: 4000, Group: 1},
			{Queue: "append", Name: "append + fdatasync", N: 4000, Group: 1},
			{Queue: "wal", Name: "tidwall/wal", N: 4000, Group: 1},
			{Queue: "autopaho", Name: "autopaho (no sync)", N: 4000, Group: 1},
		}},
		{"groups of 100", []task{
			{Queue: "buffer", Name: "buffer", N: 200_000, Group: 100},
			{Queue: "sqlite-c", Name: "SQLite's C code, rows", N: 200_000, Group: 100},
			{Queue: "rows", Name: "rows on the driver connection", N: 200_000, Group: 100},
			{Queue: "append", Name: "append + fdatasync", N: 200_000, Group: 100},
			{Queue: "wal", Name: "tidwall/wal", N: 200_000, Group: 100},
		}},
		{"4 writers", []task{
			{Queue: "buffer", Name: "buffer, each in groups of 100", N: 400_000, Group: 100, Writers: 4},
			{Queue: "sqlite-c", Name: "SQLite's C code, rows, one writer", N: 200_000, Group: 100},
		}},
		{"100 writers", []task{
			{Queue: "buffer", Name: "buffer, max_loss 0s", N: 100_000, Group: 1, Writers: 100},
		}},
		{"within a second", []task{
			{Queue: "buffer", Name: "buffer, max_loss 1s", N: 600_000, Group: 1, MaxLoss: time.Second},
		}},
	}
	fmt.Printf("%-16s %-32s %12s %10s %9s\n", "durable ingest", "", "readings/s", "buffer is", "peak MiB")
	for _, c := range contest {
		results, err := b.turns(c.tasks)
		if err != nil {
			return err
		}
		for i, t := range c.tasks {
			ratio := medianRatio(results[0], results[i])
			fmt.Printf("%-16s %-32s %12.0f %10s %9.1f\n", c.name, t.Name, median(results[i], perSecond), fmt.Sprintf("%.2f x", ratio), median(results[i], peak))
			if c.name == "groups of 100" && t.Queue == "sqlite-c" {
				b.atLeast("durable ingest in groups of 100, of the bare SQLite limit for rows", 0.9, ratio)
			}
		}
		if c.name == "within a second" {
			b.atMost("MiB of memory, storing", 25, median(results[0], peak))
		}
	}
	return nil
}

// drain measures how fast a backlog is read and acknowledged, and what it costs to open it.
func (b *bench) drain() error {
	sizes := []int{10_000, 1_000_000, *largest}
	var tasks []task
	for _, n := range sizes {
		path := filepath.Join(b.dir, fmt.Sprint("backlog-", n))
		if _, err := b.run(task{Do: "ingest", Queue: "buffer", Dir: path, N: n, Group: 1, MaxLoss: time.Second}); err != nil {
			return err
		}
		tasks = append(tasks, task{Do: "drain", Queue: "buffer", Name: "buffer", N: n, From: path})
	}
	for _, t := range []task{
		{Queue: "rows", Name: "rows, DELETE up to the last", N: 1_000_000},
		{Queue: "wal", Name: "tidwall/wal", N: 100_000},
		{Queue: "autopaho", Name: "autopaho", N: 10_000},
	} {
		t.From = filepath.Join(b.dir, t.Queue)
		if _, err := b.run(task{Do: "ingest", Queue: t.Queue, Dir: t.From, N: t.N, Group: 1000}); err != nil {
			return err
		}
		t.Do, t.Limit = "drain", 3*time.Second
		tasks = append(tasks, t)
	}
	results, err := b.turns(tasks)
	if err != nil {
		return err
	}
	fmt.Printf("%-10s %-28s %12s %10s %12s %9s\n", "backlog", "drain in batches of 200", "readings/s", "open ms", "1st batch ms", "peak MiB")
	for i, t := range tasks {
		r := results[i]
		fmt.Printf("%-10d %-28s %12.0f %10.2f %12.2f %9.1f\n", t.N, t.Name, median(r, perSecond), median(r, func(m measured) float64 { return m.OpenMS }),
			median(r, func(m measured) float64 { return m.FirstMS }), median(r, peak))
	}
	opening := func(m measured) float64 { return m.OpenMS + m.FirstMS }
	b.atLeast("readings/s out of a backlog of 1 million", 400_000, median(results[1], perSecond))
	b.atLeast(fmt.Sprintf("of that, out of %d", *largest), 0.85, medianRatio(results[2], results[1]))
	b.atMost("ms to open, with counters and first batch, the largest backlog", 20, median(results[2], opening))
	b.atMost("MiB of memory, draining the largest backlog", 25, median(results[2], peak))
	b.atLeast("times the drain rate of tidwall/wal", 50, medianRatio(results[1], results[4]))
	return nil
}

// turns lets tasks take turns and returns what each measured.
func (b *bench) turns(tasks []task) ([][]measured, error) {
	results := make([][]measured, len(tasks))
	for range *rounds {
		for i, t := range tasks {
			m, err := b.inDir(t, b.dir)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", t.Name, err)
			}
			results[i] = append(results[i], m)
		}
	}
	return results, nil
}

// inDir does a task in a directory of its own, a copy of From if there is one.
func (b *bench) inDir(t task, parent string) (measured, error) {
	if t.Do == "" {
		t.Do = "ingest"
	}
	t.Dir = filepath.Join(parent, "turn")
	defer os.RemoveAll(t.Dir)
	if t.From != "" {
		if err := os.CopyFS(t.Dir, os.DirFS(t.From)); err != nil {
			return measured{}, err
		}
	}
	return b.run(t)
}

func perSecond(m measured) float64 { return m.PerSecond() }
func peak(m measured) float64      { return m.PeakMiB }

// median returns the median of a value of the elements of list.
func median[T any](list []T, value func(T) float64) float64 {
	sorted := slices.SortedFunc(slices.Values(list), func(a, b T) int { return cmp.Compare(value(a), value(b)) })
	n := len(sorted)
	return (value(sorted[(n-1)/2]) + value(sorted[n/2])) / 2
}

// medianRatio returns the median of the ratios of two rates within a round.
func medianRatio(a, b []measured) float64 {
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = a[i].PerSecond() / b[i].PerSecond()
	}
	return median(ratios, func(r float64) float64 { return r })
}

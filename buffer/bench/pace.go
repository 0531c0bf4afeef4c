package main

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// cycle measures what storing and draining the same readings costs the device, as fast as it goes.
func (b *bench) cycle() error {
	if os.Geteuid() != 0 {
		fmt.Println("bytes at a block device: not measured, mounting one needs root")
		return nil
	}
	fmt.Printf("%-28s %9s %12s %10s %12s %10s %12s\n", "bytes a reading at the device", "readings", "store", "flushes", "drain", "flushes", "both")
	var ours, theirs float64
	for _, t := range []task{
		{Queue: "buffer", Name: "buffer, groups of 100", N: 100_000, Group: 100},
		{Queue: "rows", Name: "rows, groups of 100", N: 100_000, Group: 100},
		{Queue: "wal", Name: "tidwall/wal, groups of 100", N: 100_000, Group: 100, Limit: 3 * time.Second},
		{Queue: "buffer", Name: "buffer, one by one", N: 4000, Group: 1},
		{Queue: "rows", Name: "rows, one by one", N: 4000, Group: 1},
		{Queue: "wal", Name: "tidwall/wal, one by one", N: 4000, Group: 1},
		{Queue: "autopaho", Name: "autopaho, one by one", N: 4000, Group: 1, Limit: 3 * time.Second},
	} {
		d, err := b.newDevice("cycle", "")
		if err != nil {
			return err
		}
		t.Dir, t.Device, t.Do = d.mount, d.stat, "ingest"
		stored, err := b.run(t)
		if err != nil {
			return errors.Join(err, d.remove())
		}
		t.Do = "drain"
		drained, err := b.run(t)
		if err = errors.Join(err, d.remove()); err != nil {
			return err
		}
		both := stored.perReading(stored.Bytes) + drained.perReading(drained.Bytes)
		fmt.Printf("%-28s %9d %12.0f %10.4f %12.0f %10.4f %12.0f\n", t.Name, t.N, stored.perReading(stored.Bytes), stored.perReading(stored.Flushes),
			drained.perReading(drained.Bytes), drained.perReading(drained.Flushes), both)
		switch {
		case ours == 0:
			ours = both
		case t.Queue == "wal" && theirs == 0:
			theirs = both
		}
	}
	b.atMost("of the bytes of tidwall/wal, whole cycle", 0.01, ours/theirs)
	return nil
}

// pace measures what a gateway costs its device in real time: the file system writes its journal
// every 5 s, whatever the load.
func (b *bench) pace() error {
	if os.Geteuid() != 0 {
		fmt.Println("what a gateway costs in real time: not measured, mounting a device needs root")
		return nil
	}
	type contender struct {
		task
		options string
		goal    float64 // bytes a reading at most; 0: none
	}
	list := []contender{
		{task{Name: "buffer, online, 100/s", Rate: 100, MaxLoss: time.Second, Online: true, Limit: *online}, "", 0},
		{task{Name: "buffer, 10/s, max_loss 10s", Rate: 10, MaxLoss: 10 * time.Second}, "", 250},
		{task{Name: "buffer, 10/s, max_loss 10s, lazytime", Rate: 10, MaxLoss: 10 * time.Second}, "lazytime", 130},
		{task{Name: "buffer, 10/s, max_loss 10s, commit=60", Rate: 10, MaxLoss: 10 * time.Second}, "commit=60", 0},
		{task{Name: "buffer, 10/s, max_loss 1s", Rate: 10, MaxLoss: time.Second}, "", 0},
		{task{Name: "buffer, 100/s, a commit a second", Rate: 100, Group: 100}, "", 117},
		{task{Name: "the same, commit=60", Rate: 100, Group: 100}, "commit=60", 0},
		{task{Name: "rows, 10/s, one by one", Rate: 10, Queue: "rows"}, "", 0},
		{task{Name: "rows, 10/s, a commit each 10 s", Rate: 10, Group: 100, Queue: "rows"}, "", 0},
		{task{Name: "tidwall/wal, 10/s, one by one", Rate: 10, Queue: "wal"}, "", 0},
		{task{Name: "rows, online, 100/s", Rate: 100, Queue: "rows", Online: true}, "", 0},
	}
	type result struct {
		measured
		err error
	}
	results := make([]chan result, len(list))
	for i := range list {
		t := &list[i].task
		t.Do = "pace"
		t.Group = max(t.Group, 1)
		if t.Queue == "" {
			t.Queue = "buffer"
		}
		if t.Limit == 0 {
			t.Limit = *offline
		}
		d, err := b.newDevice(fmt.Sprint("pace-", i), list[i].options)
		if err != nil {
			return err
		}
		t.Dir, t.Device = d.mount, d.stat
		results[i] = make(chan result, 1)
		go func() {
			m, err := b.run(*t)
			results[i] <- result{m, errors.Join(err, d.remove())}
		}()
	}
	fmt.Printf("%-37s %8s %9s %11s %14s %12s %9s\n", "in real time, all at once", "seconds", "readings", "bytes each", "and the log's", "flushes each", "peak MiB")
	var failed error
	for i, c := range list {
		r := <-results[i]
		if failed = errors.Join(failed, r.err); r.err != nil {
			continue
		}
		each, later := r.perReading(r.Bytes), r.perReading(r.Later)
		fmt.Printf("%-37s %8.0f %9d %11.1f %14.1f %12.4f %9.1f\n", c.Name, r.Seconds, r.N, each, later, r.perReading(r.Flushes), r.PeakMiB)
		switch {
		case c.goal > 0:
			b.atMost("bytes a reading at the device: "+c.Name, c.goal, each+later)
		case i == 0:
			b.atMost(fmt.Sprintf("bytes at the device in %v online at 100/s", *online), 0, float64(r.Bytes))
			b.atMost("MiB of memory, online", 25, r.PeakMiB)
		}
	}
	return failed
}

// pace stores readings at a rate. Before, it stores so many in the same groups that the log has its
// length, and finds out what copying that log costs for each reading: it happens once in many
// minutes, and not while pace looks.
func pace(t task) (m measured, err error) {
	per := t.Group // readings of a commit
	if t.Queue == "buffer" && t.MaxLoss > 0 {
		per = max(1, int(t.MaxLoss.Seconds()*float64(t.Rate)))
	}
	warm := t
	warm.Group, warm.MaxLoss = max(per, 2), 0
	if m.Later, err = warmUp(warm); err != nil {
		return m, err
	}
	q, err := open(t)
	if err != nil {
		return m, err
	}
	if s, ok := q.(*store); ok {
		s.Split()
	}
	before, err := counted(t)
	if err != nil {
		return m, err
	}
	start := time.Now()
	var group [][]byte
	for ticks := time.NewTicker(time.Second / time.Duration(t.Rate)); time.Since(start) < t.Limit; {
		<-ticks.C
		group = append(group, reading(m.N))
		m.N++
		if len(group) < t.Group {
			continue
		}
		if err := q.add(group); err != nil {
			return m, err
		}
		group = group[:0]
		if !t.Online {
			continue
		}
		if s, ok := q.(*store); ok {
			s.takeLive()
		} else if _, err := q.take(100); err != nil {
			return m, err
		}
	}
	m.Seconds = time.Since(start).Seconds()
	if s, ok := q.(*store); ok && !t.Online {
		if err := s.flush(); err != nil { // what the next commit would have had
			return m, err
		}
	}
	if err := m.count(t, before); err != nil {
		return m, err
	}
	m.Later = int64(float64(m.Later) / float64(warmCommits(t)*warm.Group) * float64(m.N))
	if t.Online && t.Queue == "buffer" {
		m.Later = 0 // nothing was stored
	}
	return m, q.close()
}

// growCommits make the log of every contender as long as it becomes.
const growCommits = 1500

// warmCommits returns how many commits fill the log about by half.
func warmCommits(t task) int {
	if t.Queue == "buffer" {
		return 600
	}
	return 120
}

// warmUp lets the log become as long as it ever is and then returns the bytes that closing the
// queue costs after some more groups: it copies the log.
func warmUp(t task) (bytes int64, err error) {
	q, err := stored(t, growCommits)
	if err != nil {
		return 0, err
	}
	if err := q.close(); err != nil {
		return 0, err
	}
	if q, err = stored(t, warmCommits(t)); err != nil {
		return 0, err
	}
	before, err := counted(t)
	if err != nil {
		return 0, err
	}
	if err := q.close(); err != nil {
		return 0, err
	}
	after, err := counted(t)
	return after.bytes - before.bytes, err
}

// stored opens a queue and stores groups in it.
func stored(t task, groups int) (queue, error) {
	q, err := open(t)
	if err != nil {
		return nil, err
	}
	for i := range groups {
		group := make([][]byte, t.Group)
		for j := range group {
			group[j] = reading(i*t.Group + j)
		}
		if err := q.add(group); err != nil {
			return nil, err
		}
	}
	return q, nil
}

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// A task is what one process does.
type task struct {
	Do      string // ingest, drain, pace
	Name    string // for the table
	Queue   string
	Dir     string // where the queue is, or is made
	From    string // the queue that Dir is a copy of
	Device  string // its statistics; empty: bytes and flushes are not counted
	N       int    // readings
	Group   int    // readings that become durable together
	Writers int    // goroutines that add
	MaxLoss time.Duration
	Limit   time.Duration // of a drain; of a pace its length
	Rate    int           // readings a second
	Online  bool          // they are acknowledged
}

// What a task has measured.
type measured struct {
	N       int
	Seconds float64
	OpenMS  float64
	FirstMS float64 // the first batch
	PeakMiB float64 // resident, pages of the program included
	Bytes   int64   // at the block device
	Flushes int64
	Later   int64 // bytes that copying the log will cost
}

func (m measured) PerSecond() float64 { return float64(m.N) / m.Seconds }

func (m measured) perReading(v int64) float64 { return float64(v) / float64(m.N) }

// run does a task in a process of its own.
func (b *bench) run(t task) (m measured, err error) {
	if err := os.MkdirAll(t.Dir, 0o755); err != nil {
		return m, err
	}
	text, err := json.Marshal(t)
	if err != nil {
		return m, err
	}
	self, err := os.Executable()
	if err != nil {
		return m, err
	}
	cmd := exec.CommandContext(b.ctx, self, "-task", string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return m, fmt.Errorf("%s %s: %w", t.Do, t.Queue, err)
	}
	return m, json.Unmarshal(out, &m)
}

func runTask(text string) error {
	var t task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	work := map[string]func(task) (measured, error){"ingest": ingest, "drain": drain, "pace": pace}[t.Do]
	m, err := work(t)
	if err != nil {
		return err
	}
	m.PeakMiB = peakMiB()
	return json.NewEncoder(os.Stdout).Encode(m)
}

// ingest stores N readings in groups, durably.
func ingest(t task) (m measured, err error) {
	before, err := counted(t)
	if err != nil {
		return m, err
	}
	bodies := newBodies()
	if t.Queue == "sqlite-c" {
		m.Seconds, err = insertRows(filepath.Join(t.Dir, "queue.db"), bodies, t.N, t.Group)
		m.N = t.N
		return m, err
	}
	q, err := open(t)
	if err != nil {
		return m, err
	}
	start := time.Now()
	if c, ok := q.(*store); ok && t.Writers > 0 {
		err = c.fromMany(t.Writers, t.N, t.Group, bodies)
	} else {
		group := make([][]byte, t.Group)
		for i := 0; i < t.N && err == nil; {
			for j := range group {
				group[j] = bodies[i%len(bodies)]
				i++
			}
			err = q.add(group)
		}
	}
	if c, ok := q.(*store); ok && err == nil {
		err = c.flush()
	}
	m.N, m.Seconds = t.N, time.Since(start).Seconds()
	if err != nil {
		return m, err
	}
	if err := q.close(); err != nil {
		return m, err
	}
	return m, m.count(t, before)
}

// drain opens a queue and takes everything out of it, or as much as Limit permits.
func drain(t task) (m measured, err error) {
	const batch = 200
	before, err := counted(t)
	if err != nil {
		return m, err
	}
	start := time.Now()
	q, err := open(t)
	if err != nil {
		return m, err
	}
	m.OpenMS = float64(time.Since(start).Microseconds()) / 1000
	start = time.Now()
	for m.N < t.N && (t.Limit == 0 || time.Since(start) < t.Limit) {
		n, err := q.take(batch)
		if err != nil || n == 0 {
			return m, fmt.Errorf("after %d readings: took %d: %w", m.N, n, err)
		}
		if m.N += n; m.FirstMS == 0 {
			m.FirstMS = float64(time.Since(start).Microseconds()) / 1000
		}
	}
	if c, ok := q.(*store); ok {
		if err := c.flush(); err != nil {
			return m, err
		}
	}
	m.Seconds = time.Since(start).Seconds()
	if err := q.close(); err != nil {
		return m, err
	}
	return m, m.count(t, before)
}

// count adds what the device has written since before.
func (m *measured) count(t task, before counts) error {
	after, err := counted(t)
	m.Bytes, m.Flushes = after.bytes-before.bytes, after.flushes-before.flushes
	return err
}

// newBodies makes readings in advance: making one costs as much as storing it. They come round
// after more than a segment has.
func newBodies() [][]byte {
	bodies := make([][]byte, 4096)
	for i := range bodies {
		bodies[i] = reading(i)
	}
	return bodies
}

// reading returns a body of about 150 bytes as a gateway makes them.
func reading(i int) []byte {
	return fmt.Appendf(nil, `{"ts":"2026-11-20T15:%02d:%02d.%03dZ","fields":{"temperature":%.2f,"humidity":%.1f,"pressure":%d,"voltage":%.3f},"quality":"good","n":%d}`,
		i/60%60, i%60, i*7%1000, 20+float64(i*31%400)/100, 45+float64(i*17%90)/10, 101000+i*13%500, 3.2+float64(i*11%100)/1000, i)
}

// peakMiB returns the most memory that was resident.
func peakMiB() float64 {
	text, _ := os.ReadFile("/proc/self/status")
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var kib float64
		if n, _ := fmt.Sscanf(lines.Text(), "VmHWM: %f kB", &kib); n == 1 {
			return kib / 1024
		}
	}
	return 0
}

package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"time"
)

// A meter measures what the process does from its beginning on.
type meter struct {
	began   time.Time
	mallocs uint64
	calls   int64 // write system calls
	written int64
}

func startMeter() (m meter, err error) {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	m.mallocs = mem.Mallocs
	m.calls, m.written, err = writesOfProcess()
	m.began = time.Now()
	return m, err
}

// result returns what was done for n acknowledged messages.
func (m meter) result(n int64) (result, error) {
	took := time.Since(m.began)
	calls, written, err := writesOfProcess()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	return result{
		perSecond: float64(n) / took.Seconds(),
		bytes:     float64(written-m.written) / float64(n),
		writes:    float64(calls-m.calls) / float64(n),
		allocs:    float64(mem.Mallocs-m.mallocs) / float64(n),
	}, err
}

// writesOfProcess returns how often the process called write and its kin, and how many bytes it
// gave them. The Go runtime's own wake-ups are among them, few where anything is measured.
func writesOfProcess() (calls, written int64, err error) {
	b, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0, 0, fmt.Errorf("counting writes needs Linux: %w", err)
	}
	for line := range bytes.Lines(b) {
		_, _ = fmt.Sscanf(string(line), "syscw: %d", &calls)
		_, _ = fmt.Sscanf(string(line), "wchar: %d", &written)
	}
	return calls, written, nil
}

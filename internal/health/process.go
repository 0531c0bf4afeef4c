package health

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// addProcess adds what Prometheus' own clients report of a process, under their names. What the
// kernel does not say is left out.
func addProcess(p page) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	p.gauge("go_goroutines", "Goroutines.", float64(runtime.NumGoroutine()))
	p.gauge("go_info", "The version of Go that built the program.", 1, label{"version", runtime.Version()})
	p.gauge("go_memstats_heap_alloc_bytes", "Bytes of objects in the heap.", float64(m.HeapAlloc))
	p.gauge("go_memstats_sys_bytes", "Bytes of memory that Go has from the kernel.", float64(m.Sys))

	var used unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &used) == nil {
		spent := time.Duration(used.Utime.Nano() + used.Stime.Nano())
		p.seconds("process_cpu_seconds_total", "Time of the processor that the program used, in seconds.", spent.Seconds())
	}
	if fields := numbers("/proc/self/statm"); len(fields) > 1 {
		size := float64(os.Getpagesize())
		p.gauge("process_virtual_memory_bytes", "Address space of the program, in bytes.", fields[0]*size)
		p.gauge("process_resident_memory_bytes", "Memory that the program has, in bytes.", fields[1]*size)
	}
	if list, err := os.ReadDir("/proc/self/fd"); err == nil {
		p.gauge("process_open_fds", "Open files and connections of the program.", float64(len(list)))
	}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		p.gauge("process_max_fds", "How many files and connections the program may have open.", float64(limit.Cur))
	}
	if t := startTime(); t > 0 {
		p.gauge("process_start_time_seconds", "When the program started, in seconds since 1970.", t)
	}
}

// startTime is when this process started, in seconds since 1970 by the clock of now; 0: not known.
func startTime() float64 {
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0
	}
	const after, ticksPerSecond = 19, 100 // the field starttime, counted behind the name; USER_HZ
	_, rest, _ := bytes.Cut(text, []byte(") "))
	fields := bytes.Fields(rest)
	if len(fields) <= after {
		return 0
	}
	ticks, err := strconv.ParseFloat(string(fields[after]), 64)
	if err != nil {
		return 0
	}
	return bootTime() + ticks/ticksPerSecond
}

// bootTime is when the kernel started, as it says itself; it changes when the clock is set.
func bootTime() float64 {
	text, _ := os.ReadFile("/proc/stat")
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "btime "); ok {
			t, _ := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			return t
		}
	}
	return 0
}

// numbers returns the leading numbers of a file, nil if it cannot be read.
func numbers(file string) (list []float64) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	for word := range strings.FieldsSeq(string(text)) {
		v, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return list
		}
		list = append(list, v)
	}
	return list
}

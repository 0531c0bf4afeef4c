package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// usage is what a process has taken: resident memory in bytes, and CPU time.
type usage struct {
	memory int64
	cpu    time.Duration
}

// self stands for this process.
const self = -1

// ticksPerSecond is the unit of CPU times in /proc: USER_HZ, 100 on every architecture that Go has.
const ticksPerSecond = 100

// usageOf reads /proc of a process; of 0 it is nothing.
func usageOf(pid int) (u usage, err error) {
	name := strconv.Itoa(pid)
	switch pid {
	case 0:
		return u, nil
	case self:
		name = "self"
	}
	status, err := os.ReadFile("/proc/" + name + "/status")
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				return u, fmt.Errorf("/proc/%s/status: %w", name, err)
			}
			u.memory = kib << 10
		}
	}
	stat, err := os.ReadFile("/proc/" + name + "/stat")
	if err != nil {
		return u, err
	}
	_, rest, ok := strings.Cut(string(stat), ") ") // the name before it may hold anything
	f := strings.Fields(rest)
	if !ok || len(f) < 13 {
		return u, fmt.Errorf("/proc/%s/stat is not as proc(5) says: %q", name, stat)
	}
	for _, word := range f[11:13] { // utime, stime
		ticks, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return u, fmt.Errorf("/proc/%s/stat: %w", name, err)
		}
		u.cpu += time.Duration(ticks) * time.Second / ticksPerSecond
	}
	return u, nil
}

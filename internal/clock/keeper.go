package clock

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// steady is how far a battery-backed clock and the system's may be apart for the one to come from
// the other.
const steady = time.Minute

// Kept says who keeps the clock of a machine right although no service sets it by the network:
// waiting for one would help nobody. It is "" if there is such a service, or if nobody is known to
// keep the clock. root is "/".
//
// A hypervisor is seen by the clock that it gives to the kernel; a clock with a battery by the
// kernel having set its own from it at power-up, and by both still showing the same: without a
// battery it begins again, and the kernel's clock was set by something else. Either is only as
// right as the host or the battery, so a clock that stands before the program was built is not
// taken (ErrBehind).
func Kept(root string, wall time.Time) string {
	if networkTime(root) {
		return ""
	}
	source := text(root, "sys/devices/system/clocksource/clocksource0/current_clocksource")
	if source == "kvm-clock" || strings.HasPrefix(source, "hyperv_clocksource") || source == "xen" {
		return fmt.Sprintf("the hypervisor keeps it (%s)", source)
	}
	for _, rtc := range clocks(root) {
		seconds, err := strconv.ParseInt(text(root, rtc, "since_epoch"), 10, 64)
		if err == nil && text(root, rtc, "hctosys") == "1" && wall.Sub(time.Unix(seconds, 0)).Abs() < steady {
			return fmt.Sprintf("a clock with a battery keeps it (%s)", filepath.Base(rtc))
		}
	}
	return ""
}

// clocks are the folders of the battery-backed clocks.
func clocks(root string) []string {
	all, _ := filepath.Glob(filepath.Join(root, "sys/class/rtc/rtc*"))
	for i := range all {
		all[i] = strings.TrimPrefix(strings.TrimPrefix(all[i], root), "/")
	}
	return all
}

// networkTime reports whether a service that sets the clock by the network runs on this machine, or
// will run.
func networkTime(root string) bool {
	return slices.ContainsFunc([]string{
		"run/systemd/timesync", "run/chrony", "run/chronyd.pid", "run/ntpd.pid", "run/ntp.pid", "run/ntpd.sock", "run/ntpd-rs", "run/ptp4l", "run/gpsd.sock",
	}, func(pattern string) bool {
		found, _ := filepath.Glob(filepath.Join(root, pattern))
		return len(found) > 0
	}) || starts(root)
}

// starts reports whether the machine starts such a service that may not have come to work yet. What
// is enabled in a container without a service manager never runs.
func starts(root string) bool {
	if _, err := os.Stat(filepath.Join(root, "run/systemd/system")); err != nil {
		if _, err := os.Stat(filepath.Join(root, "run/openrc")); err != nil {
			return false
		}
	}
	return slices.ContainsFunc([]string{
		"etc/systemd/system/*.wants/systemd-timesyncd.service", "etc/systemd/system/*.wants/chrony*.service", "etc/systemd/system/*.wants/ntp*.service",
		"etc/systemd/system/*.wants/openntpd.service", "etc/runlevels/*/*ntpd", "etc/runlevels/*/chronyd",
	}, func(pattern string) bool {
		found, _ := filepath.Glob(filepath.Join(root, pattern))
		return len(found) > 0
	})
}

// text returns what a small file says; "" if it cannot be read.
func text(path ...string) string {
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

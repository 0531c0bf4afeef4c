package clock_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/internal/clock"
)

func TestWaitingHelpsNobodyWhereAnotherKeepsTheClock(t *testing.T) {
	const source = "sys/devices/system/clocksource/clocksource0/current_clocksource"
	now := time.Unix(1_790_000_000, 0)
	battery := map[string]string{"sys/class/rtc/rtc0/hctosys": "1", "sys/class/rtc/rtc0/since_epoch": "1790000003", source: "arch_sys_counter"}
	and := func(m map[string]string, name, text string) map[string]string {
		all := map[string]string{name: text}
		for k, v := range m {
			if k != name {
				all[k] = v
			}
		}
		return all
	}
	for _, test := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"a Raspberry Pi", map[string]string{source: "arch_sys_counter"}, ""},
		{"KVM", map[string]string{source: "kvm-clock"}, "the hypervisor keeps it (kvm-clock)"},
		{"Hyper-V", map[string]string{source: "hyperv_clocksource_tsc_page"}, "the hypervisor keeps it"},
		{"KVM with NTP", map[string]string{source: "kvm-clock", "run/systemd/timesync/synchronized": ""}, ""},
		{"KVM with NTP that has not started", map[string]string{source: "kvm-clock", "run/systemd/system/x": "", "etc/systemd/system/multi-user.target.wants/chrony.service": ""}, ""},
		{"a container on KVM, whose service never starts", map[string]string{source: "kvm-clock", "etc/systemd/system/multi-user.target.wants/chrony.service": ""}, "the hypervisor keeps it"},
		{"a battery", battery, "a clock with a battery keeps it (rtc0)"},
		{"a battery, and NTP", and(battery, "run/chrony/chronyd.pid", "1"), ""},
		{"a clock that the kernel did not take", and(battery, "sys/class/rtc/rtc0/hctosys", "0"), ""},
		{"a dead battery, the time of another source", and(battery, "sys/class/rtc/rtc0/since_epoch", "35"), ""},
	} {
		root := t.TempDir()
		for name, text := range test.files {
			file := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := clock.Kept(root, now); got != test.want && (test.want == "" || !strings.HasPrefix(got, test.want)) {
			t.Errorf("%s: want %q, got %q", test.name, test.want, got)
		}
	}
}

// TestStateSaysWhatSendingWaitsFor: also why a clock is taken that nothing synchronised.
func TestStateSaysWhatSendingWaitsFor(t *testing.T) {
	b := &board{up: 30 * time.Second, wall: time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)}
	source := b.source()
	c := clock.New(clock.Config{KernelBoot: "k", Source: source, Store: &memory{offsets: map[string]clock.Offset{}}, Until: 2 * time.Minute})
	if got := c.State(); !strings.Contains(got, "for another 1m30s") {
		t.Errorf("waiting: %s", got)
	}
	b.up = 3 * time.Minute
	if got := c.State(); !strings.Contains(got, "readings are sent without a time") {
		t.Errorf("waited in vain: %s", got)
	}
	b.synced = true
	if learned, err := c.Learn(); !learned || err != nil || c.State() != "synchronised, within 12ms" {
		t.Errorf("%v, %v, %s", learned, err, c.State())
	}
	source.Basis = "trust_clock is set"
	c = clock.New(clock.Config{KernelBoot: "k", Source: source, Store: &memory{offsets: map[string]clock.Offset{}}})
	b.synced = false
	if learned, err := c.Learn(); !learned || err != nil || c.State() != "taken as right: trust_clock is set" {
		t.Errorf("%v, %v, %s", learned, err, c.State())
	}
}

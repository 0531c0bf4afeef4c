package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestBytesPerDay: at a real broker. Beyond the limit readings of low priority wait in the store,
// all others and the alarm go, also after a restart; without the limit what waited follows, and no
// reading is missing.
func TestBytesPerDay(t *testing.T) {
	t.Parallel()
	m := newMosquitto(t)
	heard := subscribed(t, m, "fieldgate/gw/telemetry/#", "fieldgate/gw/events/alarm")
	const sensors = "[[sensor]]\nname = \"key\"\ndriver = \"sim\"\nevery = \"50ms\"\n[[sensor]]\nname = \"noise\"\ndriver = \"sim\"\nevery = \"50ms\"\npriority = \"low\"\n"
	g := newGateway(t, m.url(), sensors)
	g.mqtt(`bytes_per_day = "30KB"`)
	g.running()
	g.online()
	held := func() bool {
		s, err := g.ask()
		return err == nil && s.Health.State == "degraded" && strings.Contains(strings.Join(s.Health.Reasons, "\n"), "of mqtt.bytes_per_day are used: readings of low priority wait until midnight UTC")
	}
	eventually(t, 30*time.Second, "the limit is reached", held)
	// seen returns how many readings of a sensor came, and how many there must be by their numbers.
	seen := func(sensor string) (n, want int) {
		came, last := map[string]bool{}, map[string]uint64{}
		for _, line := range heard.lines("fieldgate/gw/telemetry/" + sensor) {
			_, text, _ := strings.Cut(line, " ")
			var d struct {
				Run      string
				Readings []struct{ Seq uint64 }
			}
			if err := json.Unmarshal([]byte(text), &d); err != nil {
				t.Fatal(err)
			}
			for _, r := range d.Readings {
				came[fmt.Sprint(d.Run, r.Seq)] = true
				last[d.Run] = max(last[d.Run], r.Seq)
			}
		}
		for _, seq := range last {
			want += int(seq)
		}
		return len(came), want
	}
	alarms := func() string { return strings.Join(heard.lines("fieldgate/gw/events/alarm "), "\n") }
	waits := func(when string) {
		t.Helper()
		come := func(n int) {
			before, _ := seen("key")
			eventually(t, 20*time.Second, "readings of the other sensor arrive", func() bool { now, _ := seen("key"); return now >= before+n })
		}
		come(10) // with what was on its way
		noise, _ := seen("noise")
		come(20)
		if more, _ := seen("noise"); more != noise {
			t.Errorf("%s: beside 20 readings of key there came %d of noise", when, more-noise)
		}
	}
	waits("beyond the limit")
	if got := alarms(); strings.Count(got, `"alarm":"bytes-per-day","state":"raised"`) != 1 {
		t.Errorf("alarms: %s", got)
	}
	if out, _ := g.command("status", "--socket", g.path("control.sock")); !strings.Contains(out, "today") || !strings.Contains(out, "this month (UTC)") {
		t.Errorf("status:\n%s", out)
	}
	if code := g.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	g.running()
	g.online()
	if !held() {
		t.Error("the day's bytes are forgotten")
	}
	waits("after a restart")
	if got := alarms(); strings.Count(got, `"bytes-per-day"`) != 1 {
		t.Errorf("alarms: %s", got)
	}
	g.stop()
	g.configure(m.url(), sensors)
	g.running()
	g.online()
	eventually(t, 10*time.Second, "what waited is sent, and the alarm is cleared", func() bool {
		s, err := g.ask()
		return err == nil && s.Health.State == "ok" && s.Health.Queue.Backlog == 0 &&
			strings.Contains(alarms(), `"alarm":"bytes-per-day","state":"cleared"`)
	})
	g.stop()
	for _, sensor := range []string{"key", "noise"} {
		if n, want := seen(sensor); n != want || n < 100 {
			t.Errorf("%d of %d readings of %s arrived", n, want, sensor)
		}
	}
}

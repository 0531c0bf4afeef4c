package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/internal/contract"
)

// The table of the sensors holds at 80 columns whatever is wrong with one, and no line ends with
// blanks.
func TestStatusText(t *testing.T) {
	long := "modbus-rtu: unit 11: reading holding registers 0 to 1: " + strings.Repeat("no answer within 300ms ", 6)
	s := contract.LocalStatus{Gateway: "gw", Version: "v1", Board: "Raspberry Pi 3", System: "Debian GNU/Linux 13 (trixie)", PID: 7, Config: "current", Health: contract.Health{
		State: "degraded", Reasons: []string{"sensor dead11 is failing"}, Link: contract.LinkHealth{Connected: true},
		Queue: contract.QueueHealth{Appended: 200, Delivered: 150, Unrouted: 114},
		Sensors: map[string]contract.SensorHealth{
			"board":  {State: "ok", Reads: 30},
			"dead11": {State: "failing", Error: strings.TrimSpace(long), Failures: 12},
			"loose":  {State: "ok", Reads: 100, Flaps: 1200, Failures: 100},
			"m1": {State: "bad", Error: "no field has a value: v: 4.17e-08 …", Reads: 30, Bad: map[string]string{
				"x": "exception 2", "v": "4.17e-08 is outside 100 to 400 (field.v.min, max): scale, type or word_order wrong?"}},
			"m2": {State: "ok", Reads: 30, Bad: map[string]string{"x": "exception 2"}},
		},
	}}
	var out bytes.Buffer
	if err := printStatus(&out, s); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	const want = `
SENSOR  STATE    EVERY  READS  FAILURES  SKIPPED
board   ok              30     0         0
dead11  failing         0      12        0
    LONG
loose   ok              100    100       0
    it is flapping: 1200 changes within a minute
m1      bad             30     0         0
    v: 4.17e-08 is outside 100 to 400 (field.v.min, max): scale, type or word_order wrong?
    x: exception 2
m2      ok              30     0         0
    x: exception 2
`
	if !strings.HasSuffix(text, strings.Replace(want, "LONG", strings.TrimSpace(long), 1)) {
		t.Errorf("got\n%s", text)
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimSuffix(line, "\n"); line != strings.TrimRight(line, " ") {
			t.Errorf("the line ends with blanks: %q", line)
		}
	}
	if !strings.Contains(text, "board      Raspberry Pi 3, Debian GNU/Linux 13 (trixie)\n") {
		t.Errorf("the board is missing:\n%s", text)
	}
	if !strings.Contains(text, "refused 0; 114 without a subscriber\n") {
		t.Errorf("nobody subscribed, and it does not say so:\n%s", text)
	}
	s.Health.Queue.Unrouted = 0
	s.Health.Link = contract.LinkHealth{Attempts: 1}
	wait := 42.0
	s.Health.Queue.Backlog, s.Health.Queue.BacklogWait = 3, &wait
	out.Reset()
	if err := printStatus(&out, s); err != nil || !strings.Contains(out.String(), "; the backlog waits for another 42s (mqtt.drain_delay_max)\n") ||
		!strings.Contains(out.String(), ", 1 failed attempt\n") {
		t.Errorf("%v\n%s", err, out.String())
	}
	out.Reset()
	if err := printStatus(&out, s); err != nil || strings.Contains(out.String(), "nobody") {
		t.Errorf("all were routed: %v\n%s", err, out.String())
	}
}

package main

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/fieldgate/fieldgate/internal/contract"
)

// busyGateway is a status with something of everything.
func busyGateway() contract.LocalStatus {
	full, drain := 70.5, 3.0
	return contract.LocalStatus{
		Gateway: "plant7-gw1", Config: "last-good", Broker: "mqtts://broker.example.com:8883",
		Health: contract.Health{
			State: "degraded", Reasons: []string{"sensor hall-climate is missing", "no readings are taken: the disk is full, and has been since the middle of the night"}, Alarms: []string{"boiler temperature 95 is above 90"}, Up: 100,
			Link:  contract.LinkHealth{Connected: true, BytesUp: 123456, Since: 10},
			Queue: contract.QueueHealth{Live: 7, Backlog: 1234567, Bytes: 1 << 20, MaxBytes: 256 << 20, OldestAge: 90, RateIn: 2.5, RateOut: 400, SecondsToDrain: &drain, HoursToFull: &full},
			Sensors: map[string]contract.SensorHealth{
				"boiler": {State: "ok", Reads: 30}, "hall-climate": {State: "missing", Error: "I2C bus /dev/i2c-1 does not exist"},
				"meter": {State: "ok", Bad: map[string]string{"x": "exception 2"}}, "a-sensor-with-a-name-that-is-longer-than-others": {State: "frozen"}, "evil\x1b[31m": {State: "starting"},
			},
		},
		Newest: map[string]contract.Newest{
			"boiler": {Values: []contract.Value{{Field: "free", Unit: "B", Value: 8.2e10}, {Field: "on", Value: true}, {Field: "temperature", Unit: "Cel", Value: 95.123456789}, {Field: "text", Value: "a\x1bb\nc"}}},
			"meter":  {Values: []contract.Value{{Field: "energy", Unit: "kWh", Value: 1234567.0}, {Field: "x", Bad: "exception 2"}}},
		},
	}
}

// TestTopFits: whatever the width, no line is wider, nothing acts on the terminal, and what matters
// is there.
func TestTopFits(t *testing.T) {
	for i, width := range []int{1, 2, 20, 40, 59, 60, 80, 200, 0, 20, 60, 80, 100, 200} {
		var all []string
		for _, line := range topLines(busyGateway(), width, i > 8) {
			if n := utf8.RuneCountInString(line.text); width > 0 && n > width {
				t.Errorf("%d columns at %d: %q", n, width, line.text)
			}
			if strings.ContainsFunc(line.text, isControl) {
				t.Errorf("%q acts", line.text)
			}
			all = append(all, line.text)
		}
		text := strings.Join(strings.Fields(strings.Join(all, " ")), " ")
		if width < 20 && width > 0 {
			continue
		}
		for _, want := range []string{"plant7-gw1 degraded", "sensor hall-climate is missing", "boiler temperature 95 is above", "online at", "1234567 backlog", "drained in 3s", "hall-climate missing"} {
			if !strings.Contains(text, want) {
				t.Errorf("width %d: want %q in\n%s", width, want, strings.Join(all, "\n"))
			}
		}
		if first, second := strings.Index(text, "hall-climate missing"), strings.Index(text, "boiler ok"); first > second {
			t.Errorf("width %d: what does not work is not first:\n%s", width, strings.Join(all, "\n"))
		}
	}
	text := ""
	for _, line := range topLines(busyGateway(), 80, true) {
		text += line.text + "\n"
	}
	for _, want := range []string{"ok        free 76.4 GiB   on true", "\n" + strings.Repeat(" ", 44) + "temperature 95.12346 Cel\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("want %q in\n%s", want, text)
		}
	}
	text = ""
	for _, line := range topLines(busyGateway(), 200, false) {
		text += line.text + "\n"
	}
	for _, want := range []string{"free 76.4 GiB   on true   temperature 95.12346 Cel   text a", "energy 1234567 kWh   x –", "x: exception 2"} {
		if !strings.Contains(text, want) {
			t.Errorf("want %q in\n%s", want, text)
		}
	}
}

// TestTopLearns: a gateway that stops, and one that comes back, are said.
func TestTopLearns(t *testing.T) {
	w := &topScreen{}
	says := func() string { return w.lines(0, true)[0].text }
	if !strings.Contains(says(), "asking") {
		t.Error(says())
	}
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.Local)
	w.learn(answer{err: fmt.Errorf("nobody")}, at)
	if want := "waiting for the gateway: nobody"; says() != want {
		t.Error(says())
	}
	s := busyGateway()
	s.Health.Run = "a"
	w.learn(answer{status: s}, at)
	if !strings.HasPrefix(says(), "plant7-gw1") {
		t.Error(says())
	}
	w.learn(answer{err: fmt.Errorf("nobody")}, at.Add(time.Minute))
	w.learn(answer{err: fmt.Errorf("still nobody")}, at.Add(2*time.Minute))
	if want := "the gateway does not answer since 12:01:00; what follows is older: still nobody"; says() != want {
		t.Error(says())
	}
	s.Health.Run = "b"
	w.learn(answer{status: s}, at.Add(3*time.Minute))
	if want := "the gateway has started again, seen at 12:03:00"; says() != want {
		t.Error(says())
	}
}

// TestTop: top at a real terminal follows a real gateway over a stop and a start, and leaves the
// terminal as it was, whatever ends it.
func TestTop(t *testing.T) {
	t.Parallel()
	g := newGateway(t, "mqtt://127.0.0.1:1", waveSensor)
	g.running()
	args := []string{"top", "-c", g.path("fieldgate.toml")}
	s := sit(t, 80, nil, args...)
	s.expect("gw  degraded")
	s.expect("wave    ok        value")
	s.resize(20, 24)
	_ = s.cmd.Process.Signal(syscall.SIGWINCH) // the kernel sends it to the foreground group
	s.expect("wave  ok\n  value")
	s.resize(100, 24)
	g.stop()
	s.expect("the gateway does not answer since")
	g.running()
	s.expect("the gateway has started again")
	if !strings.Contains(s.shown.String(), "\x1b[31m") {
		t.Error("nothing is red")
	}
	s.types("x")
	s.types("q")
	s.leaves(exitDone)
	ends := func(s *seat) {
		t.Helper()
		eventually(t, 5*time.Second, "the usual screen is back", func() bool { return strings.HasSuffix(s.shown.String(), "\x1b[?25h\x1b[?1049l") })
	}
	ends(s)
	for name, end := range map[string]func(*seat){
		"Ctrl-C": func(s *seat) { s.types("\x03") }, "SIGTERM": func(s *seat) { _ = s.cmd.Process.Signal(syscall.SIGTERM) },
	} {
		s := sit(t, 80, []string{"NO_COLOR=1"}, args...)
		s.expect("wave")
		end(s)
		s.leaves(exitDone)
		ends(s)
		if strings.Contains(s.shown.String(), "\x1b[3") || strings.Contains(s.shown.String(), "\x1b[1m") {
			t.Errorf("%s: there are colours", name)
		}
	}
	// Without a terminal that can do it, once and plain.
	s = sit(t, 80, []string{"TERM=dumb"}, args...)
	s.expect("wave")
	s.leaves(exitDone)
	out, code := g.command(args...)
	if code != exitDone || strings.Contains(out+s.shown.String(), "\x1b") || !strings.Contains(out, "wave") {
		t.Errorf("exit code %d: %q", code, out)
	}
	g.stop()
	if out, code := g.command(args...); code != exitFailed || !strings.Contains(out, "is it running?") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// TestTopOutlivesItsTerminal: a terminal that is closed ends it.
func TestTopOutlivesItsTerminal(t *testing.T) {
	t.Parallel()
	g := newGateway(t, "mqtt://127.0.0.1:1", waveSensor)
	g.running()
	s := sit(t, 80, nil, "top", "-c", g.path("fieldgate.toml"))
	s.expect("wave")
	s.slave.Close()
	s.master.Close()
	select {
	case <-s.ended:
	case <-time.After(20 * time.Second):
		t.Fatal("it goes on without a terminal")
	}
	if s.cmd.ProcessState.Exited() && s.cmd.ProcessState.ExitCode() == 2 {
		t.Errorf("it crashed: %v", s.cmd.ProcessState)
	}
}

// TestTopPanics: the terminal is given back before a crash is printed, and only then.
func TestTopPanics(t *testing.T) {
	left := 0
	leave := func() error { left++; return nil }
	leaving(leave, func() {})
	if left != 0 {
		t.Error("it leaves without a reason")
	}
	func() {
		defer func() {
			if recover() == nil || left != 1 {
				t.Errorf("left %d times, or the panic is lost", left)
			}
		}()
		leaving(leave, func() { panic("a bug") })
	}()
}

package health_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/card"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/health"
	"github.com/fieldgate/fieldgate/internal/sampling"
)

// TestRatesOverTheLastMinute: a backlog that grows for eleven minutes and then drains.
func TestRatesOverTheLastMinute(t *testing.T) {
	var f health.Figures
	m := health.New(func() health.Figures { return f })
	f.Store.MaxBytes = 100 << 20
	var h contract.Health
	for i := range 660 {
		f.Up += time.Second
		f.Store.Appended += 100
		f.Store.Backlog += 100
		f.Store.Bytes += 10 << 10
		f.Store.WrittenBytes += 20 << 10
		h = m.Snapshot()
		if i < 600 && h.Flash.BytesPerDay != 0 {
			t.Fatalf("%v bytes a day after %d s: that is no day yet", h.Flash.BytesPerDay, i)
		}
	}
	if q := h.Queue; q.RateIn < 99 || q.RateIn > 101 || q.RateOut != 0 || q.SecondsToDrain != nil || q.HoursToFull == nil {
		t.Fatalf("growing: %+v", q)
	}
	if full := *h.Queue.HoursToFull; full < 2.5 || full > 2.7 { // 93.5 MiB at 10 KiB a second
		t.Errorf("full in %v hours", full)
	}
	if day := h.Flash.BytesPerDay; day < 1.7e9 || day > 1.8e9 {
		t.Errorf("%v bytes a day", day)
	}
	for range 120 {
		f.Up += time.Second
		f.Store.Appended += 100
		f.Delivered += 150
		f.Store.Backlog -= 50
		h = m.Snapshot()
	}
	if q := h.Queue; q.RateOut < 149 || q.RateOut > 151 || q.HoursToFull != nil || q.SecondsToDrain == nil || *q.SecondsToDrain < 1195 || *q.SecondsToDrain > 1205 {
		t.Errorf("draining 60,000 readings at 50 a second: %+v", q)
	}
}

// TestCard: 4 GB in two days by 40 million readings, on a card for 30 TB.
func TestCard(t *testing.T) {
	f := health.Figures{Store: buffer.Stats{Appended: 40e6}, Flash: &card.Usage{Device: "mmcblk0", Bytes: 4e9, Span: 48 * time.Hour}}
	m := health.New(func() health.Figures { return f })
	d := m.Snapshot().Flash.Device
	if d == nil || d.Name != "mmcblk0" || d.Bytes != 4e9 || d.BytesPerDay != 2e9 || d.BytesPerReading != 100 || d.Years != nil {
		t.Errorf("%+v", d)
	}
	f.Endurance = 30e12
	if d := m.Snapshot().Flash.Device; d.Years == nil || *d.Years < 41 || *d.Years > 41.2 {
		t.Errorf("%+v", d)
	}
	f.Flash = nil
	if d := m.Snapshot().Flash.Device; d != nil {
		t.Errorf("without a device: %+v", d)
	}
}

// TestDeadLetters: the gateway is not well while something lies there that the broker did not take.
func TestDeadLetters(t *testing.T) {
	var f health.Figures
	m := health.New(func() health.Figures { return f })
	for _, test := range []struct {
		dead int64
		want string
	}{
		{0, ""},
		{1, "1 message was refused by the broker: fieldgate queue dead-letter list"},
		{114, "114 messages were refused by the broker: fieldgate queue dead-letter list"},
		{0, ""}, // they were sent again, or given up
	} {
		f.Store.Dead = test.dead
		h := m.Snapshot()
		if got := strings.Join(h.Reasons, "|"); got != test.want || (h.State == "ok") != (test.want == "") {
			t.Errorf("%d dead letters: %s %q", test.dead, h.State, got)
		}
	}
}

// TestFullStore: without room it is not said when there will be none, whichever limit it is that
// holds.
func TestFullStore(t *testing.T) {
	f := health.Figures{Store: buffer.Stats{MaxBytes: 64 << 20}}
	m := health.New(func() health.Figures { return f })
	var h contract.Health
	for range 30 {
		f.Up += time.Second
		f.Store.Appended += 10
		f.Store.Backlog += 10
		f.Store.Bytes += 1 << 10
		h = m.Snapshot()
	}
	if h.Queue.HoursToFull == nil {
		t.Errorf("it grows: want a forecast, got %+v", h.Queue)
	}
	f.Store.Full, f.Store.Limit = true, "min_free" // at 30 KiB of 64 MiB
	f.Store.Rejected += 10
	if h = m.Snapshot(); h.Queue.HoursToFull != nil || len(h.Reasons) != 1 || !strings.HasPrefix(h.Reasons[0], "the file system has less free space than buffer.min_free: ") {
		t.Errorf("it is full: %+v %q", h.Queue, h.Reasons)
	}
	f.Store.Limit = "max_bytes"
	f.Store.Rejected += 10
	if h = m.Snapshot(); !strings.HasPrefix(h.Reasons[0], "the store is full (buffer.max_bytes): ") {
		t.Errorf("it is full: %q", h.Reasons)
	}
}

// TestBadAndFlappingSensors: what they lack is in their entries, and the gateway is not well.
func TestBadAndFlappingSensors(t *testing.T) {
	why := map[string]string{"v": "4.17e-08 is outside 100 to 400 (field.v.min, max): scale, type or word_order wrong?"}
	f := health.Figures{Sensors: []sampling.State{
		{Sensor: "meter", Condition: sampling.Bad, Err: "no field has a value: …", Bad: why},
		{Sensor: "half", Condition: sampling.OK, Bad: map[string]string{"x": "exception 2"}},
		{Sensor: "loose", Condition: sampling.OK, Flaps: 1200},
		{Sensor: "loose2", Condition: sampling.Failing, Err: "no answer", Flaps: 99},
	}}
	values := func(f func(sensor, field, unit string, value float64)) {
		f("half", "t", "Cel", -2.5)
		f("half", "on", "", 1)
		f("loose2", "t", "", 7)
	}
	m := health.New(func() health.Figures { return f })
	h := m.Snapshot()
	want := "sensor meter is bad|sensor loose is flapping: 1200 changes within a minute|sensor loose2 is flapping: 99 changes within a minute"
	if got := strings.Join(h.Reasons, "|"); got != want || h.State != "degraded" {
		t.Errorf("want %q\n got %s %q", want, h.State, got)
	}
	if h.Sensors["meter"].Bad["v"] != why["v"] || h.Sensors["half"].Bad["x"] != "exception 2" || h.Sensors["half"].State != "ok" || h.Sensors["loose"].Flaps != 1200 {
		t.Errorf("%+v", h.Sensors)
	}
	page := httptest.NewRecorder()
	health.Handler(m, values).ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{`fieldgate_sensor_bad_fields{sensor="half"} 1`, `fieldgate_sensor_bad_fields{sensor="loose"} 0`, `fieldgate_sensor_ok{sensor="meter"} 0`,
		`fieldgate_sensor_value{sensor="half",field="t",unit="Cel"} -2.5`, `fieldgate_sensor_value{sensor="half",field="on",unit=""} 1`} {
		if !strings.Contains(page.Body.String(), line+"\n") {
			t.Errorf("metrics have no %s", line)
		}
	}
	if strings.Contains(page.Body.String(), `fieldgate_sensor_value{sensor="loose2"`) {
		t.Error("a sensor that is not read has a value")
	}
}

func TestReasons(t *testing.T) {
	f := health.Figures{Up: time.Minute, Store: buffer.Stats{MaxBytes: 1}, Sensors: []sampling.State{
		{Sensor: "a", Condition: sampling.OK}, {Sensor: "b", Condition: sampling.Missing, Err: "no bus"}, {Sensor: "c", Condition: sampling.Disabled}}}
	m := health.New(func() health.Figures { return f })
	h := m.Snapshot()
	if h.State != "degraded" || len(h.Reasons) != 1 || !strings.Contains(h.Reasons[0], "sensor b is missing") || h.Sensors["b"].Error != "no bus" {
		t.Errorf("got %s %q", h.State, h.Reasons)
	}
	if line := health.StatusLine(h); line != "offline; 1 of 3 sensors ok; 0 readings waiting; degraded: sensor b is missing" {
		t.Errorf("status line %q", line)
	}
	f.ClockWait, f.Trouble = time.Minute, []string{"no broker yet"}
	if line := health.StatusLine(m.Snapshot()); !strings.HasSuffix(line, "degraded: no broker yet (and 2 more)") {
		t.Errorf("the link is not what is named first: status line %q", line)
	}
	f.ClockWait, f.Trouble = 0, nil
	wait := 240.0
	h.Link, h.TS = contract.LinkHealth{Asleep: true, NextAttempt: &wait}, contract.Time{Time: time.Date(2026, 11, 20, 14, 56, 0, 0, time.Local)}
	if line := health.StatusLine(h); !strings.HasPrefix(line, "asleep until 15:00:00; 1 of 3 sensors ok") {
		t.Errorf("status line %q", line)
	}
	h.TS = contract.Time{}
	if line := health.StatusLine(h); !strings.HasPrefix(line, "asleep for another 4m; ") {
		t.Errorf("without a clock: status line %q", line)
	}
	f.Sensors = f.Sensors[:1]
	f.Up += 10 * time.Second
	f.Store.Evicted = 7
	if h = m.Snapshot(); len(h.Reasons) != 1 || !strings.Contains(h.Reasons[0], "42 readings a minute are dropped") {
		t.Errorf("got %q", h.Reasons)
	}
	f.Up += 5 * time.Minute
	_ = m.Snapshot()
	f.Up += 5 * time.Minute
	for range 20 {
		f.Up += 5 * time.Second
		h = m.Snapshot()
	}
	if h.State != "ok" {
		t.Errorf("long after: %s %q", h.State, h.Reasons)
	}
}

// The first seconds of a gateway say nothing of a day.
func TestNoRateBeforeThereIsASpan(t *testing.T) {
	for span, rate := range map[time.Duration]float64{3 * time.Second: 0, 9 * time.Minute: 0, 12 * time.Hour: 2e9} {
		f := health.Figures{Flash: &card.Usage{Device: "mmcblk0", Bytes: 1e9, Span: span}, Endurance: 30e12}
		m := health.New(func() health.Figures { return f })
		if d := m.Snapshot().Flash.Device; d.BytesPerDay != rate || (d.Years != nil) != (rate > 0) {
			t.Errorf("after %v: %+v", span, d)
		}
	}
}

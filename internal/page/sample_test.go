package page

import (
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/contract"
)

// sample is a gateway with something in every part of its page.
type sample struct {
	mu       sync.Mutex
	status   contract.LocalStatus
	newest   map[string]contract.Newest
	commands []contract.CommandRecord
	up       time.Duration
	password string
	lines    []string
	log      *slog.Logger
}

const sampleRun = "27b8bce030b6"

var sampleTime = time.Date(2026, 11, 29, 14, 3, 7, 0, time.UTC)

func newSample() *sample {
	s := &sample{up: 31 * time.Hour, password: "correct horse", newest: map[string]contract.Newest{}, log: slog.New(slog.DiscardHandler)}
	years := 11.4
	h := contract.Health{TS: contract.Time{Time: sampleTime}, Up: s.up.Seconds(), Run: sampleRun, Store: "ee259f47", Boot: 12, Version: "v0.3.0", State: "ok", ClockSync: true,
		Queue: contract.QueueHealth{Live: 3, Bytes: 9 << 20, MaxBytes: 256 << 20, RateIn: 4.2, RateOut: 4.2, Appended: 464_218, Delivered: 464_215, Evicted: 1204, Unrouted: 3},
		Link:  contract.LinkHealth{Connected: true, Since: s.up.Seconds() - 9130, Reconnects: 3, BytesUp: 48 << 20, BytesDown: 512 << 10, BytesUpDay: 21 << 20, BytesDownDay: 200 << 10, BytesUpMonth: 610 << 20, BytesDownMonth: 5 << 20},
		Flash: contract.FlashHealth{Bytes: 3 << 20, BytesPerDay: 1 << 20, Commits: 220, Device: &contract.FlashDevice{Name: "mmcblk0", Bytes: 840 << 20, BytesPerDay: 650 << 20, Years: &years}},
		Sensors: map[string]contract.SensorHealth{
			"boiler":       {State: "ok", Reads: 223_200},
			"hall-climate": {State: "ok", Reads: 11_160, Failures: 2},
			"main-meter":   {State: "ok", Reads: 22_320, Bad: map[string]string{"power_factor": "0x8000 is not a number"}},
			"pump":         {State: "ok", Reads: 111_600},
		}}
	s.status = contract.LocalStatus{Gateway: "plant7-gw1", Version: "v0.3.0", Board: "Raspberry Pi 3 Model B Plus Rev 1.3", System: "Debian GNU/Linux 13 (trixie)", PID: 412, Broker: "mqtts://broker.example.com:8883",
		Clock: "synchronised, as the kernel says", Config: "current", Health: h,
		Shadow: contract.Reported{Version: 14, DesiredVersion: 9, State: contract.State{Sensors: map[string]contract.SensorState{"boiler": {Every: "500ms"}, "hall-climate": {Every: "10s"}, "main-meter": {Every: "5s"}, "pump": {Every: "1s"}}},
			Rejected: map[string]string{"sensors.attic.every": "there is no such sensor"}},
		Origins: map[string]string{"sensors.hall-climate.every": "shadow"}}
	s.commands = []contract.CommandRecord{
		{Op: "read", ID: "7f3a-0021", At: contract.Time{Time: sampleTime.Add(-11 * time.Minute)}, State: contract.Succeeded},
		{Op: "restart", ID: "7f3a-0020", At: contract.Time{Time: sampleTime.Add(-26 * time.Hour)}, State: contract.Rejected, Error: `[commands] allow does not list "restart"`}}
	s.set("boiler", contract.Value{Field: "temperature", Unit: "Cel", Value: 61.28})
	s.set("hall-climate", contract.Value{Field: "temperature", Unit: "Cel", Value: 21.46}, contract.Value{Field: "humidity", Unit: "%RH", Value: 43.9}, contract.Value{Field: "pressure", Unit: "Pa", Value: 100_812.0})
	s.set("main-meter", contract.Value{Field: "power", Unit: "W", Value: 3184.0}, contract.Value{Field: "voltage_l1", Unit: "V", Value: 231.7}, contract.Value{Field: "energy_import", Unit: "kWh", Value: 18204.61}, contract.Value{Field: "power_factor", Bad: "0x8000 is not a number"})
	s.set("pump", contract.Value{Field: "running", Value: true}, contract.Value{Field: "pressure", Unit: "bar", Value: 2.41})
	for i := range 60 {
		s.lines = append(s.lines, fmt.Sprintf("2026-11-29 13:%02d:07 connected url=mqtts://broker.example.com:8883 session_present=true", i))
	}
	return s
}

// set sets what a sensor measured last.
func (s *sample) set(sensor string, values ...contract.Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest[sensor] = contract.Newest{TS: contract.Time{Time: sampleTime.Add(-time.Second)}, Up: s.up.Seconds() - 1, Values: values}
}

// change changes the status.
func (s *sample) change(f func(*contract.LocalStatus)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.status
	f(&next)
	s.status = next
}

func (s *sample) config(c config.Page) Config {
	return Config{Gateway: "plant7-gw1", MaxLoss: time.Second, Page: c,
		View: View{
			Status: func() contract.LocalStatus {
				s.mu.Lock()
				defer s.mu.Unlock()
				now := s.status
				now.Newest = maps.Clone(s.newest)
				return now
			},
			Recent: func(int) []contract.CommandRecord { return s.commands },
		},
		Password: func() ([]byte, error) { return []byte(s.password), nil },
		Around: Around{Lines: func(int) []string { return s.lines },
			Files: func() []config.Setting {
				return []config.Setting{{Key: "gateway.id", Value: `"plant7-gw1"`, From: "fieldgate.toml:2"}}
			}},
		Up: func() time.Duration { s.mu.Lock(); defer s.mu.Unlock(); return s.up }, ForTLS: time.Now, Log: s.log}
}

// outage takes the broker and a sensor away.
func (s *sample) outage() {
	years := 0.5
	s.change(func(l *contract.LocalStatus) {
		h := &l.Health
		h.State, h.Reasons = "degraded", []string{"no connection to the broker for 4m12s, 9 failed attempts, the next in 38s: no route to host: is the cable plugged in?", "sensor hall-climate is missing"}
		h.Link.Connected, h.Link.Since, h.Link.Error, h.Link.Attempts = false, h.Up-252, "no route to host: is the cable plugged in?", 9
		h.Queue.Live, h.Queue.Backlog, h.Queue.RateOut, h.Queue.OldestAge = 0, 1061, 0, 252
		hours := 212.0
		h.Queue.HoursToFull = &hours
		h.Flash.Device = &contract.FlashDevice{Name: "mmcblk0", Bytes: 840 << 20, BytesPerDay: 9 << 30, Years: &years}
		h.Sensors = map[string]contract.SensorHealth{"boiler": h.Sensors["boiler"], "main-meter": h.Sensors["main-meter"], "pump": h.Sensors["pump"],
			"hall-climate": {State: "missing", Error: "bme280: no device answers at 0x76 on /dev/i2c-1: check its wiring, or set address = 0x77", Failures: 27, Reads: 11_160}}
	})
}

// past fills the history of a page: an hour of readings, a day of the link.
func (s *sample) past(p *Page) {
	for m := range 60 {
		at := s.up - time.Duration(59-m)*time.Minute
		for k := range 4 {
			x := float64(m) + float64(k)/4
			noise := math.Sin(x*12.9898) * 0.5
			p.Reading("boiler", at, []drivers.Value{drivers.Float("temperature", 61+7*math.Sin(x/7)+noise)})
			p.Reading("hall-climate", at, []drivers.Value{drivers.Float("temperature", 20.4+x/60+noise/8), drivers.Float("humidity", 47-x/20+noise), drivers.Float("pressure", 100_700+2*x+noise*4)})
			load := 900 + 300*noise
			if m > 22 && m < 31 || m > 44 {
				load += 2300
			}
			p.Reading("main-meter", at, []drivers.Value{drivers.Float("power", load), drivers.Float("voltage_l1", 231+2*noise), drivers.Float("energy_import", 18203+x/40)})
			p.Reading("pump", at, []drivers.Value{drivers.Bool("running", m%20 < 13), drivers.Float("pressure", 2.2+math.Max(0, math.Sin(x/3))*0.4+noise/20)})
		}
	}
	l := &p.history.link
	*l = linkHistory{at: s.up - 27*time.Hour, began: s.up - 27*time.Hour}
	for _, e := range []struct {
		ago time.Duration
		on  bool
		why string
	}{{27 * time.Hour, true, ""}, {17 * time.Hour, false, "the broker closed the connection"}, {16*time.Hour + 57*time.Minute, true, ""},
		{4 * time.Hour, false, "no route to host: is the cable plugged in?"}, {9130 * time.Second, true, ""}} {
		l.change(s.up-e.ago, contract.LinkHealth{Connected: e.on, Error: e.why})
	}
	p.Lost([]contract.Loss{{Run: sampleRun, Sensor: "boiler", First: 160_204, Last: 161_407, Count: 1204, Reason: "evicted"}})
}

// serve serves a page of a sample, without TLS.
func (s *sample) serve(t testing.TB, c config.Page) (*Page, *httptest.Server) {
	t.Helper()
	p := New(s.config(c))
	s.past(p)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.Handler().ServeHTTP(w, r) }))
	server.Start()
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return p, server
}

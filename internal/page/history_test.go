package page

import (
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/health"
	"github.com/fieldgate/fieldgate/internal/loghandler"
)

// TestHourIsWhatWasMeasured: against a list of all readings, with gaps of any length.
func TestHourIsWhatWasMeasured(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		up := time.Duration(random.IntN(int(3 * time.Hour)))
		h := newHistory(up)
		type taken struct {
			at time.Duration
			v  float32
		}
		var all []taken
		for range 400 {
			up += time.Duration(random.ExpFloat64() * float64(time.Minute) / 2)
			if random.IntN(50) == 0 {
				up += time.Duration(random.IntN(int(2 * time.Hour)))
			}
			v := float32(random.NormFloat64())
			h.reading("s", up, []drivers.Value{drivers.String("name", "x"), drivers.Float("v", float64(v))})
			all = append(all, taken{up, v})
		}
		up += time.Duration(random.IntN(int(80 * time.Minute)))
		got := h.hour("s", "v", up)
		for i, p := range got {
			minute := int64(up/pointSpan) - points + 1 + int64(i)
			low, high := float32(math.Inf(1)), float32(math.Inf(-1))
			for _, r := range all {
				if int64(r.at/pointSpan) == minute {
					low, high = min(low, r.v), max(high, r.v)
				}
			}
			if empty := low > high; empty != math.IsNaN(float64(p.low)) || !empty && (p.low != low || p.high != high) {
				t.Fatalf("point %d is %v, want %v to %v", i, p, low, high)
			}
		}
	}
}

// TestDayIsWhatTheLinkWas: against a list of all changes.
func TestDayIsWhatTheLinkWas(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		up := time.Duration(random.IntN(int(30*time.Hour/time.Millisecond))) * time.Millisecond
		h := newHistory(up)
		type change struct {
			at    time.Duration
			state int
		}
		all := []change{{up, unknown}}
		for range random.IntN(300) {
			up += time.Duration(random.ExpFloat64()*600_000) * time.Millisecond
			l := contract.LinkHealth{Connected: random.IntN(2) == 0, Asleep: random.IntN(4) == 0}
			h.link.change(up, l)
			all = append(all, change{up, linkState(l)})
		}
		up += time.Duration(random.IntN(60_000)) * time.Millisecond
		got, outages, _ := h.day(up)
		if len(outages) > maxOutages {
			t.Fatalf("%d outages", len(outages))
		}
		newest := int64(max(up-1, 0) / linkSpan)
		for i, p := range got {
			begin := time.Duration(newest-linkPoints+1+int64(i)) * linkSpan
			var want linkPoint
			for k, c := range all {
				from, to := max(c.at, begin), min(up, begin+linkSpan)
				if k+1 < len(all) {
					to = min(to, all[k+1].at)
				}
				if to > from {
					want[c.state] += uint32((to - from).Milliseconds())
				}
			}
			if p != want {
				t.Fatalf("point %d of %v is %v, want %v", i, up, p, want)
			}
		}
	}
}

// TestHistoryIsBounded: with more sensors, outages, losses and lines of log than it keeps, and
// without an allocation for a reading.
func TestHistoryIsBounded(t *testing.T) {
	const sensors = 150
	names := make([]string, sensors)
	for i := range names {
		names[i] = fmt.Sprintf("sensor-with-a-name-%d", i)
	}
	values := []drivers.Value{drivers.Float("temperature", 1), drivers.Float("humidity", 2), drivers.Int("count", 3), drivers.Bool("on", true)}
	s := newSample()
	c := s.config(config.Page{Listen: "127.0.0.1:8080"})
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	p := New(c)
	lines := loghandler.NewRing(32 << 10)
	log := slog.New(loghandler.New(lines, loghandler.Dated, slog.LevelInfo))
	up := s.up
	for i := range 200 {
		up += time.Minute
		for _, name := range names {
			p.Reading(name, up, values)
		}
		s.up = up
		p.Link(contract.LinkHealth{Connected: i%2 == 0, Error: fmt.Sprintf("%0500d", i)})
		p.Lost([]contract.Loss{{Run: fmt.Sprintf("%012d", i), Sensor: "boiler", Reason: "evicted"}})
		for range 20 {
			log.Info("a line of the log that says what has happened", "n", i)
		}
	}
	if used := heap() - before; used > maxHistory {
		t.Errorf("it takes %d bytes, want at most %d", used, maxHistory)
	} else {
		t.Logf("it takes %d bytes", used)
	}
	if n := testing.AllocsPerRun(1000, func() { up += time.Second; p.Reading(names[7], up, values) }); n != 0 {
		t.Errorf("%v allocations for a reading", n)
	}
	runtime.KeepAlive(p)
	runtime.KeepAlive(lines)
}

// TestPageThatIsOff takes what it is given.
func TestPageThatIsOff(t *testing.T) {
	p := New(newSample().config(config.Page{}))
	p.Reading("a", 0, []drivers.Value{drivers.Float("x", 1)})
	p.Link(contract.LinkHealth{})
	p.Lost([]contract.Loss{{}})
	if p.Where() != nil {
		t.Errorf("it is at %+v", p.Where())
	}
}

// TestManySensorsAreShownMoreRarely: frames take a fiftieth of the time, and one comes at last.
func TestManySensorsAreShownMoreRarely(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{0: 900 * time.Millisecond, 10 * time.Millisecond: 900 * time.Millisecond, 40 * time.Millisecond: 2 * time.Second, time.Minute: 10 * time.Second} {
		if got := pauseAfter(took); got != want {
			t.Errorf("after %v: %v, want %v", took, got, want)
		}
	}
}

// TestSparkOfAYoungProgram: what there is fills the width, and begins at its edge after ten
// minutes.
func TestSparkOfAYoungProgram(t *testing.T) {
	for minutes, want := range map[int]string{2: "104,23.0 118,1.0 ", 10: "0,23.0 ", 40: "0,23.0 ", 60: "0,23.0 "} {
		list := make([]point, points)
		for i := range list {
			list[i] = nothing
			if i >= points-minutes {
				list[i] = point{float32(i), float32(i)}
			}
		}
		if s := sparkOf(list, contract.Value{}); !strings.HasPrefix(s.Line, want) || !strings.HasSuffix(s.Line, " 118,1.0 ") {
			t.Errorf("%d minutes: %q", minutes, s.Line)
		}
	}
}

// TestTexts: how values, times and lengths look.
func TestTexts(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{number(61.28), "61.28"}, {number(0), "0"}, {number(-0.00012), "-0.00012"}, {number(18204.61), "18204.6"}, {number(100_812.4), "100812"},
		{number(231.7), "231.7"}, {number(1234.5678), "1234.57"}, {number(21), "21"}, {number(1e20), "1e+20"}, {number(math.Inf(1)), "+Inf"}, {number(0.5), "0.5"}, {number(999.996), "1000"},
		{count(0), "0"}, {count(999), "999"}, {count(1204), "1\u202f204"}, {count(1_234_567), "1\u202f234\u202f567"},
		{health.Span(42 * time.Second), "42s"}, {health.Span(252 * time.Second), "4m 12s"}, {health.Span(9130 * time.Second), "2h 32m"}, {health.Span(212 * time.Hour), "8d 20h"}, {health.Span(-time.Second), "0s"},
		{inWords(81250791424, "B"), "75.7 GiB"}, {inWords(512, "B"), "512 B"}, {inWords(1818.86, "s"), "30m 19s"}, {inWords(2.5, "s"), "2.5 s"}, {inWords(21.46, "Cel"), "21.46 °C"}, {inWords(3, "/"), "3"},
		{rate(0), "no reading in the last minute"}, {rate(1.0 / 60), "1.0 readings a minute"}, {rate(4.2), "4.2 readings a second"},
		{valueText(true), "on"}, {valueText(nil), "–"}, {valueText(int64(7)), "7"}, {cut("äöü", 3), "ä…"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
}

// BenchmarkReading is what the page costs a reading of four fields while nobody looks.
func BenchmarkReading(b *testing.B) {
	s := newSample()
	p := New(s.config(config.Page{Listen: "127.0.0.1:8080"}))
	values := []drivers.Value{drivers.Float("temperature", 1), drivers.Float("humidity", 2), drivers.Int("count", 3), drivers.Bool("on", true)}
	up := s.up
	b.ReportAllocs()
	for b.Loop() {
		up += 10 * time.Millisecond
		p.Reading("boiler", up, values)
	}
}

// BenchmarkFrame is what a second costs while somebody looks, whatever their number.
func BenchmarkFrame(b *testing.B) {
	s := newSample()
	p := New(s.config(config.Page{Listen: "127.0.0.1:8080"}))
	s.past(p)
	b.ReportAllocs()
	for b.Loop() {
		rendered(p.view())
	}
}

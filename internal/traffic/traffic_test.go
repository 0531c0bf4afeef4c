package traffic

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/contract"
)

// line is a meter on a real store, in a bubble that begins on 2000-01-01. The test moves its
// counters and its clock.
type line struct {
	t        *testing.T
	file     string
	store    *buffer.Store
	unopened bool // the store has no file
	meter    *Meter
	up, down uint64
	step     time.Duration // of the clock against the bubble's
	unknown  bool          // the time
	limit    int64
	low      map[string]bool
	held     map[string]bool
	alarms   []contract.AlarmEvent
	puts     int
	log      strings.Builder
}

// start begins a run of the program.
func (l *line) start() {
	l.t.Helper()
	if l.file == "" {
		l.file = filepath.Join(l.t.TempDir(), "q.db")
	}
	var err error
	began := time.Now()
	l.store, err = buffer.Open(l.t.Context(), l.file, buffer.Options{MaxLoss: time.Second, Machine: "m", KernelBoot: "k", Up: func() time.Duration { return time.Since(began) + time.Hour }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		l.t.Fatal(err)
	}
	l.up, l.down, l.held = 0, 0, nil
	l.meter = New(Config{
		Counters: func() (uint64, uint64) { return l.up, l.down }, Now: func() (time.Time, bool) { return time.Now().Add(l.step), !l.unknown }, Up: func() time.Duration { return time.Since(began) + time.Hour },
		Limit: l.limit, Low: l.low, Hold: func(sensors map[string]bool) { l.held = sensors }, Alarm: func(a contract.AlarmEvent) { l.alarms = append(l.alarms, a) },
		Store: l, Log: slog.New(slog.NewTextHandler(&l.log, nil)),
	})
}

func (l *line) Get(ctx context.Context, bucket, key string) ([]byte, error) {
	if l.unopened {
		return nil, errors.New("the store has no file")
	}
	return l.store.Get(ctx, bucket, key)
}

func (l *line) PutSoon(bucket, key string, value []byte) {
	l.puts++
	l.store.PutSoon(bucket, key, value)
}

// stop ends the run in order.
func (l *line) stop() {
	l.t.Helper()
	l.meter.Close()
	if err := l.store.Close(context.Background()); err != nil {
		l.t.Fatal(err)
	}
}

// carry has the line carry so much, and waits.
func (l *line) carry(up, down uint64, wait time.Duration) {
	l.up, l.down = l.up+up, l.down+down
	for ; wait > 0; wait -= time.Second {
		l.meter.Tick()
		time.Sleep(time.Second)
	}
}

// want compares day and month, up/down each.
func (l *line) want(when, want string) {
	l.t.Helper()
	var h contract.LinkHealth
	l.meter.Report(&h)
	if got := fmt.Sprintf("%d/%d %d/%d", h.BytesUpDay, h.BytesDownDay, h.BytesUpMonth, h.BytesDownMonth); got != want {
		l.t.Errorf("%s: want %s, got %s", when, want, got)
	}
}

func TestDaysAndMonths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{t: t, step: 30 * 24 * time.Hour} // the last day of January
		l.start()
		l.carry(100, 10, time.Hour)
		l.want("first", "100/10 100/10")
		l.stop()
		l.start()
		l.want("after a restart", "100/10 100/10")
		l.carry(50, 5, time.Hour)
		l.want("then", "150/15 150/15")
		time.Sleep(22 * time.Hour)
		l.carry(1, 1, time.Second)
		l.want("in February", "1/1 1/1")
		l.carry(1, 0, 24*time.Hour+time.Second)
		l.want("on its second day", "0/0 2/1")
		l.stop()
		time.Sleep(7 * 24 * time.Hour)
		l.start()
		l.carry(3, 0, time.Second)
		l.want("after a week without power", "3/0 5/1")
		l.stop()
	})
}

// TestTimeThatBecomesKnown: what was counted before counts for that day, also over restarts, and
// never holds anything back.
func TestTimeThatBecomesKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{t: t, limit: 1000}
		l.start()
		l.carry(600, 0, time.Minute)
		l.stop()
		l.step = 24 * time.Hour
		l.unknown = true
		l.start()
		l.carry(900, 20, 2*time.Minute)
		l.want("not known", "1500/20 1500/20")
		if len(l.alarms) > 0 || l.held != nil {
			t.Errorf("%v, %v although nobody knows the day", l.alarms, l.held)
		}
		l.stop()
		l.start()
		l.carry(5, 0, time.Second)
		l.unknown = false
		l.carry(1, 0, time.Second)
		l.want("known", "906/20 1506/20")
		if len(l.alarms) != 1 {
			t.Errorf("alarms: %+v", l.alarms)
		}
		l.stop()
	})
}

// TestKeptSeldom: at most once a minute, and only what has changed.
func TestKeptSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{t: t}
		l.start()
		for range 600 {
			l.carry(1, 1, time.Second)
		}
		if l.puts < 9 || l.puts > 10 {
			t.Errorf("kept %d times in 10 minutes", l.puts)
		}
		l.carry(0, 0, 2*time.Minute)
		n := l.puts
		l.carry(0, 0, 10*time.Minute)
		if l.puts != n {
			t.Errorf("kept %d times although nothing changed", l.puts-n)
		}
		l.stop()
	})
}

// TestStoreThatOpensLate: what is counted meanwhile is added to what was kept.
func TestStoreThatOpensLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{t: t}
		l.start()
		l.carry(100, 0, time.Minute)
		l.stop()
		l.unopened = true
		l.start()
		l.carry(10, 1, 5*time.Minute)
		l.want("without", "10/1 10/1")
		l.unopened = false
		l.stop()
		l.start()
		l.want("with", "110/1 110/1")
		l.stop()
	})
}

func TestNonsenseInTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{t: t}
		l.start()
		if err := l.store.Put(t.Context(), bucket, key, []byte("{")); err != nil {
			t.Fatal(err)
		}
		l.stop()
		l.start()
		l.carry(7, 0, 2*time.Minute)
		l.stop()
		l.start()
		l.want("then", "7/0 7/0")
		l.stop()
	})
}

// TestLimit: an alarm at four fifths, held at all of it, both over a restart, and all clear at
// midnight.
func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{t: t, limit: 1e6, low: map[string]bool{"a": true}}
		trouble := func() string { return strings.Join(l.meter.Report(new(contract.LinkHealth)), "; ") }
		l.start()
		l.carry(700e3, 99e3, time.Minute)
		if len(l.alarms) > 0 || trouble() != "" {
			t.Errorf("at 79.9 %%: %+v %s", l.alarms, trouble())
		}
		l.carry(0, 1e3, time.Minute)
		const warning = "800.0 KB of the 1.0 MB of mqtt.bytes_per_day are used: beyond that readings of low priority wait until midnight UTC"
		if len(l.alarms) != 1 || l.alarms[0] != (contract.AlarmEvent{Alarm: "bytes-per-day", State: "raised", Detail: warning}) || trouble() != warning || l.held != nil {
			t.Errorf("at 80 %%: %+v %s", l.alarms, trouble())
		}
		l.stop()
		l.start()
		l.carry(200e3, 0, time.Minute)
		if len(l.alarms) != 1 || !l.held["a"] || trouble() != "1.0 MB of the 1.0 MB of mqtt.bytes_per_day are used: readings of low priority wait until midnight UTC" {
			t.Errorf("at all: %+v %v %s", l.alarms, l.held, trouble())
		}
		l.stop()
		l.start()
		if l.meter.Tick(); !l.held["a"] {
			t.Error("not held after a restart")
		}
		l.carry(0, 0, 24*time.Hour)
		if len(l.alarms) != 2 || l.alarms[1].State != "cleared" || l.held != nil || trouble() != "" {
			t.Errorf("the next day: %+v %v %s", l.alarms, l.held, trouble())
		}
		l.carry(2e6, 0, time.Minute)
		l.stop()
		l.limit = 0 // the configuration has it no more
		l.start()
		l.carry(0, 0, time.Minute)
		if len(l.alarms) != 4 || l.alarms[3].State != "cleared" || l.held != nil || trouble() != "" {
			t.Errorf("without a limit: %+v %v %s", l.alarms, l.held, trouble())
		}
		l.stop()
	})
}

// TestNobodyWaits: without a sensor of low priority the limit only warns.
func TestNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{t: t, limit: 1e6}
		l.start()
		l.carry(2e6, 0, time.Minute)
		if got := strings.Join(l.meter.Report(new(contract.LinkHealth)), "; "); got != "2.0 MB of the 1.0 MB of mqtt.bytes_per_day are used: no sensor has priority low, so everything is still sent" {
			t.Error(got)
		}
		if got := l.log.String(); !strings.Contains(got, "no sensor has priority low, so everything is still sent") || strings.Contains(got, "readings of low priority") {
			t.Error(got)
		}
		l.stop()
	})
}

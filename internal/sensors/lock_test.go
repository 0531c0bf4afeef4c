package sensors

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/bus"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/modbus"
	"github.com/fieldgate/fieldgate/drivers/modbus/modbustest"
	"github.com/fieldgate/fieldgate/internal/clock"
	"github.com/fieldgate/fieldgate/internal/control"
	"github.com/fieldgate/fieldgate/internal/sampling"
)

// run makes sensors on a real store and runs it until the test ends. None of them measures by
// itself before an hour has passed.
func run(t *testing.T, buses drivers.Buses, sensors ...config.Sensor) *Sensors {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	store, err := buffer.Open(t.Context(), filepath.Join(t.TempDir(), "q.db"), buffer.Options{Machine: "m", KernelBoot: "k", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	for i := range sensors {
		sensors[i].Every, sensors[i].Enabled = 1000*time.Hour, true
	}
	s := New(Config{Sensors: sensors, Buses: buses, Store: store, Clock: clock.New(clock.Config{KernelBoot: "k", Source: clock.System(new(true)), Store: clock.In(store)}),
		Watchers: new(control.Hub), Changed: func(sampling.State) {}, Describe: func(string, []byte) {}, Beat: func(string) func(time.Duration) { return nil }, Log: log})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for name, sensor := range s.Runs() {
		running.Go(func() {
			if err := sensor(ctx); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	t.Cleanup(func() {
		cancel()
		running.Wait()
		if err := store.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// measure measures with a sensor, which must be there.
func measure(t *testing.T, s *Sensors, name string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	_, ok, err := s.Measure(ctx, name)
	if !ok {
		t.Errorf("there is no sensor %s", name)
	}
	return err
}

// gate is a driver that measures when it is let through, and reports that it has begun.
type gate struct{ begun, let chan struct{} }

func newGate() *gate { return &gate{make(chan struct{}, 1), make(chan struct{})} }

func (g *gate) Read(ctx context.Context) ([]drivers.Value, error) {
	select {
	case g.begun <- struct{}{}:
	default: // nobody has waited for the reading before
	}
	select {
	case <-g.let:
		return []drivers.Value{drivers.Int("n", 1)}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (g *gate) Close() error { return nil }

// spec is the entry of a driver that opens a gate.
func (g *gate) spec(name string, shared bool) drivers.Spec {
	return drivers.Spec{Name: name, Shared: shared, Options: func() any { return nil },
		Fields: func(any) []drivers.Field { return []drivers.Field{{Name: "n", Kind: drivers.KindInt}} },
		Open:   func(context.Context, drivers.Buses, string, any) (drivers.Driver, error) { return g, nil }}
}

// Sensors that share a bus measure one at a time, and one that has no turn within its time says
// whose it was. Others do not wait.
func TestLocks(t *testing.T) {
	type user struct {
		driver, bus string
		shared      bool
	}
	for _, tt := range []struct {
		name   string
		first  user
		second user
		waits  bool
	}{
		{"one serial line", user{"modbus-rtu", "/dev/ttyUSB0", true}, user{"modbus-rtu", "/dev/ttyUSB0", true}, true},
		{"one I2C bus, two kinds of chips", user{"bme280", "/dev/i2c-1", true}, user{"sht4x", "/dev/i2c-1", true}, true},
		{"the bus that has no name", user{"ds18b20", "", true}, user{"ds18b20", "", true}, true},
		{"two buses", user{"bme280", "/dev/i2c-1", true}, user{"bme280", "/dev/i2c-3", true}, false},
		{"two drivers of the machine", user{"ds18b20", "", true}, user{"host", "", true}, false},
		{"not shared", user{"line", "/dev/ttyUSB0", false}, user{"line", "/dev/ttyUSB0", false}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first, second := newGate(), newGate()
				close(second.let)
				s := run(t, nil,
					config.Sensor{Name: "first", Driver: tt.first.driver, Bus: tt.first.bus, Spec: first.spec(tt.first.driver, tt.first.shared)},
					config.Sensor{Name: "second", Driver: tt.second.driver, Bus: tt.second.bus, Spec: second.spec(tt.second.driver, tt.second.shared)})
				synctest.Wait() // both are open
				done := make(chan error, 1)
				go func() { done <- measure(t, s, "first", time.Minute) }()
				<-first.begun
				begin := time.Now()
				err := measure(t, s, "second", 5*time.Second)
				switch took := time.Since(begin); {
				case !tt.waits && (err != nil || took > 0):
					t.Errorf("it waited %v for nothing: %v", took, err)
				case tt.waits && (err == nil || !strings.Contains(err.Error(), "sensor second: bus is busy: sensor first has not finished with it") || took != 5*time.Second):
					t.Errorf("want the one in the way named after 5s, got, after %v: %v", took, err)
				}
				close(first.let)
				if err := <-done; err != nil {
					t.Errorf("first: %v", err)
				}
				if err := measure(t, s, "second", 5*time.Second); err != nil {
					t.Errorf("when the bus is free: %v", err)
				}
			})
		})
	}
}

// On a real port with two Modbus devices: while the slow one thinks, the other is not asked, and
// its reading says what it waits for.
func TestTwoDevicesOnOneLine(t *testing.T) {
	device, port := drivertest.Pty(t)
	asked, answers := make(chan struct{}, 1), make(chan struct{})
	var think atomic.Bool
	var quick atomic.Int32 // requests to the other one
	line := &modbustest.Line{Units: map[byte]*modbustest.Unit{1: modbustest.NewUnit().Holding(0, 11), 2: modbustest.NewUnit().Holding(0, 22)}}
	line.Garble = func(request, answer []byte) ([]byte, time.Duration) {
		switch {
		case request[0] == 2:
			quick.Add(1)
		case think.Swap(false):
			asked <- struct{}{}
			<-answers
		}
		return answer, 0
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = line.Serve(device) // until it is closed
	}()
	t.Cleanup(func() { device.Close(); <-ended })
	host := bus.New(slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
	sensor := func(name string, unit int) config.Sensor {
		o := modbus.SpecRTU.Options().(*modbus.RTU)
		o.UnitID, o.Timeout = unit, 10*time.Second
		o.Registers = []modbus.Register{{Field: "a", Address: 0, Type: "uint16"}}
		return config.Sensor{Name: name, Driver: modbus.SpecRTU.Name, Bus: port, Options: o, Spec: modbus.SpecRTU}
	}
	s := run(t, host, sensor("slow", 1), sensor("quick", 2))
	for _, name := range []string{"slow", "quick"} { // and with that both are open
		if err := measure(t, s, name, 20*time.Second); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}

	before := quick.Load()
	think.Store(true)
	value := make(chan string, 1)
	go func() {
		values, _, err := s.Measure(t.Context(), "slow")
		value <- fmt.Sprint(values, err)
	}()
	<-asked
	err := measure(t, s, "quick", 200*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "sensor slow has not finished with it") {
		t.Errorf("want the one in the way named, got: %v", err)
	}
	close(answers)
	if got := <-value; got != "{map[a:11] map[] map[]} <nil>" {
		t.Errorf("slow measured %s", got)
	}
	values, _, err := s.Measure(t.Context(), "quick")
	if got := fmt.Sprint(values, err); got != "{map[a:22] map[] map[]} <nil>" {
		t.Errorf("quick measured %s", got)
	}
	if n := quick.Load() - before; n != 1 {
		t.Errorf("quick was asked %d times, want once: the one that had no turn must not have asked", n)
	}
}

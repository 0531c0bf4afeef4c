package modbus_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/modbus"
	"github.com/fieldgate/fieldgate/drivers/modbus/modbustest"
	"github.com/fieldgate/fieldgate/internal/sampling"
)

func oneRegister(unit int) *modbus.RTU {
	o := modbus.SpecRTU.Options().(*modbus.RTU)
	o.UnitID, o.Baud, o.Timeout = unit, 115200, 100*time.Millisecond
	o.Registers = []modbus.Register{{Field: "a", Address: 0, Type: "uint32"}}
	return o
}

// serve lets a line answer on a pseudo-terminal until that is closed.
func serve(t *testing.T, l *modbustest.Line, device *os.File) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = l.Serve(device)
	}()
	t.Cleanup(func() { device.Close(); <-ended })
}

// On one line: three good devices, one that is dead, one that is too slow and one whose answers are
// damaged. Samplers and lock are the program's own, and the line is a real port. The good ones go
// on, at most a few exchanges late.
func TestDeadDevicesDoNotDelayOthers(t *testing.T) {
	device, port := drivertest.Pty(t)
	const slow, damaged, dead = 4, 5, 6
	line := &modbustest.Line{Units: map[byte]*modbustest.Unit{}}
	for unit := byte(1); unit <= damaged; unit++ {
		line.Units[unit] = modbustest.NewUnit().Holding(0, 0, uint16(unit))
	}
	line.Garble = func(request, answer []byte) ([]byte, time.Duration) {
		switch request[0] {
		case slow:
			return answer, 150 * time.Millisecond
		case damaged:
			answer[len(answer)-1] ^= 0x55
		}
		return answer, 0
	}
	serve(t, line, device)

	h := newHost(t)
	lock := sampling.NewBusLock()
	start := time.Now()
	var mu sync.Mutex
	late := map[string]time.Duration{} // the greatest distance of two readings
	last := map[string]time.Duration{}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	samplers := map[string]*sampling.Sampler{}
	const every = 100 * time.Millisecond
	for unit := 1; unit <= dead; unit++ {
		name := string(rune('0' + unit))
		o := oneRegister(unit)
		if unit < slow { // a machine that is busy must not make them fail
			o.Timeout = time.Second
		}
		s := sampling.New(sampling.Config{
			Name: name, Bus: port, Settings: sampling.Settings{Every: every, Enabled: true},
			Open: func(ctx context.Context) (drivers.Driver, error) { return modbus.SpecRTU.Open(ctx, h, port, o) },
		}, sampling.Deps{
			Sink: func(_ context.Context, sensor string, up time.Duration, values []drivers.Value) error {
				if values[0].Int() != int64(sensor[0]-'0') {
					t.Errorf("sensor %s got the value of another: %#v", sensor, values)
				}
				mu.Lock()
				defer mu.Unlock()
				late[sensor] = max(late[sensor], up-last[sensor])
				last[sensor] = up
				return nil
			},
			Up: func() time.Duration { return time.Since(start) }, Wall: time.Now, BusLock: lock,
		})
		samplers[name] = s
		running.Go(func() {
			if err := s.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	timer := time.NewTimer(2500 * time.Millisecond)
	<-timer.C
	states := map[string]sampling.State{}
	for name, s := range samplers {
		states[name] = s.State()
	}
	cancel()
	running.Wait()

	// A good device waits at most for its turn behind the three bad ones, each of which has the
	// line for its timeout, and twice that when it settles. What the machine adds is not the line's
	// affair.
	const share = 100*time.Millisecond + 10*time.Millisecond
	bound := every + share + 3*share + 3*share + 500*time.Millisecond
	for _, name := range []string{"1", "2", "3"} {
		if s := states[name]; s.Condition != sampling.OK || s.Failures > 0 || late[name] > bound || s.Reads < 5 {
			t.Errorf("good device %s: longest time between readings %v, want at most %v; %+v", name, late[name], bound, s)
		}
		t.Logf("good device %s: %d readings in 2.5 s, at most %v apart, %d skipped", name, states[name].Reads, late[name].Round(time.Millisecond), states[name].Skipped)
	}
	for name, want := range map[string]string{"4": "timeout", "5": "checksum is wrong", "6": "no answer within 100ms"} {
		if s := states[name]; s.Condition != sampling.Failing || name != "4" && !strings.Contains(s.Err, want) {
			t.Errorf("bad device %s: want it failing with %q, got %+v", name, want, s)
		}
		t.Logf("bad device %s: %d failures: %s", name, states[name].Failures, states[name].Err)
	}
}

// The port is unplugged in the middle of an answer, and comes back under another name behind the
// same link.
func TestUnpluggedInTheMiddleOfAFrame(t *testing.T) {
	device, port := drivertest.Pty(t)
	link := filepath.Join(t.TempDir(), "usb-FTDI_FT232R-if00-port0")
	if err := os.Symlink(port, link); err != nil {
		t.Fatal(err)
	}
	whole := false
	line := func() *modbustest.Line {
		return &modbustest.Line{
			Units: map[byte]*modbustest.Unit{1: modbustest.NewUnit().Holding(0, 0, 7), 2: modbustest.NewUnit().Holding(0, 0, 8)},
			Garble: func(_, answer []byte) ([]byte, time.Duration) {
				if whole {
					return answer, 0
				}
				return answer[:4], 0
			},
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- line().Serve(unplugs{device}) }()
	h := newHost(t)
	open := func(unit int) drivers.Driver {
		t.Helper()
		d, err := modbus.SpecRTU.Open(t.Context(), h, link, oneRegister(unit))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	a, b := open(1), open(2)
	_, err := a.Read(t.Context())
	if !errors.Is(err, os.ErrClosed) || !strings.Contains(err.Error(), "was unplugged") {
		t.Errorf("want it told, got %v", err)
	}
	if err := <-ended; !errors.Is(err, os.ErrClosed) {
		t.Fatal(err)
	}
	if _, err := b.Read(t.Context()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the other sensor of the line: want os.ErrClosed, got %v", err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if _, err := modbus.SpecRTU.Open(t.Context(), h, link, oneRegister(1)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("want the port missing, got %v", err)
	}

	_, holds := drivertest.Pty(t) // gets the old number
	device, port = drivertest.Pty(t)
	if port == holds {
		t.Fatal("two pseudo-terminals have one name")
	}
	whole = true
	serve(t, line(), device)
	if err := errors.Join(os.Remove(link), os.Symlink(port, link)); err != nil {
		t.Fatal(err)
	}
	a = open(1)
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	b = open(2)
	for want, d := range map[int64]drivers.Driver{7: a, 8: b} {
		if values, err := d.Read(t.Context()); err != nil || values[0].Int() != want {
			t.Errorf("under the new name: want %d, got %#v, %v", want, values, err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

// unplugs is a device that is unplugged after its first answer has begun.
type unplugs struct{ *os.File }

func (u unplugs) Write(b []byte) (int, error) {
	n, err := u.File.Write(b)
	return n, errors.Join(err, u.File.Close(), os.ErrClosed)
}

package modbus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/bus"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/modbus"
)

// pymodbus starts the slave of testdata.
func pymodbus(t *testing.T, args ...string) {
	t.Helper()
	const python = "/usr/bin/python3" // Debian's own sees Debian's modules
	if out, err := exec.Command(python, "-c", "import pymodbus.server, serial, serial_asyncio").CombinedOutput(); err != nil {
		t.Skipf("pymodbus is not installed (apt-get install python3-pymodbus python3-serial python3-serial-asyncio): %v: %s", err, bytes.TrimSpace(out))
	}
	var log bytes.Buffer
	slave := exec.Command(python, append([]string{"testdata/slave.py"}, args...)...)
	slave.Stdout, slave.Stderr = &log, &log
	if err := slave.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = slave.Process.Kill()
		_ = slave.Wait()
		if t.Failed() {
			t.Logf("the slave said: %s", &log)
		}
	})
}

// connected returns the names of two ports with a wire between them.
func connected(t *testing.T) (ours, theirs string) {
	a, ours := drivertest.Pty(t)
	b, theirs := drivertest.Pty(t)
	// Without a program on the other end a pseudo-terminal is hung up.
	for _, name := range []string{ours, theirs} {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
	}
	for _, pair := range [][2]*os.File{{a, b}, {b, a}} {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = io.Copy(pair[0], pair[1])
		}()
		t.Cleanup(func() { a.Close(); b.Close(); <-ended })
	}
	return ours, theirs
}

func newHost(t testing.TB) *bus.Host {
	h := bus.New(slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// peerMap fits what slave.py has.
func peerMap() []modbus.Register {
	return []modbus.Register{
		{Field: "first", Address: 0},
		{Field: "both", Address: 1, Type: "uint32"},
		{Field: "far", Address: 130},
		{Field: "low", Address: 240, Type: "uint32", WordOrder: "little"},
		{Field: "set_point", Address: 10, Type: "int16", Scale: 0.1, Writable: true},
		{Field: "limit", Address: 20, Type: "float32", Writable: true},
		{Field: "temperature", Table: "input", Address: 0, Type: "int16", Scale: 0.1},
		{Field: "below_zero", Table: "input", Address: 1, Type: "int16"},
		{Field: "float", Table: "input", Address: 2, Type: "float32"},
		{Field: "energy", Table: "input", Address: 4, Type: "uint64"},
		{Field: "beyond", Table: "input", Address: 100},
		{Field: "relay", Table: "coil", Address: 9, Writable: true},
		{Field: "door", Table: "discrete", Address: 4},
		{Field: "window", Table: "discrete", Address: 6},
	}
}

// readUntilThere reads until the slave has started.
func readUntilThere(t *testing.T, spec drivers.Spec, h *bus.Host, name string, o any) drivers.Driver {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		d, err := spec.Open(ctx, h, name, o)
		if err == nil {
			if _, err = d.Read(ctx); err == nil {
				t.Cleanup(func() { _ = d.Close() })
				return d
			}
			_ = d.Close()
		}
		if drivers.Wait(ctx, 50*time.Millisecond) != nil {
			t.Fatalf("the slave does not answer: %v", err)
		}
	}
}

func checkPeer(t *testing.T, d drivers.Driver, first int) {
	t.Helper()
	read := func() string {
		values, err := d.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var words []string
		for _, v := range values {
			words = append(words, fmt.Sprintf("%#v", v))
		}
		return strings.Join(words, " ")
	}
	n := func(i int) int { return first + i }
	format := fmt.Sprintf("first=%d(int) both=%d(int) far=%d(int) low=%d(int) set_point=%%v(float) limit=%%v(float) temperature=21.5(float) "+
		"below_zero=-100(int) float=21.5(float) energy=4294967298(int) beyond=bad(exception 2) relay=%%v(bool) door=true(bool) window=false(bool)",
		n(0), n(1)<<16|n(2), n(130), n(241)<<16|n(240))
	got := read()
	if !strings.HasPrefix(got, format[:strings.Index(format, " set_point")]) || !strings.HasSuffix(got, "relay=false(bool) door=true(bool) window=false(bool)") {
		t.Errorf("want %s, got %s", format, got)
	}
	for _, v := range []drivers.Value{drivers.Float("set_point", -12.5), drivers.Float("limit", 0.25), drivers.Bool("relay", true)} {
		if err := d.(drivers.Writer).Write(t.Context(), v); err != nil {
			t.Errorf("Write %#v: %v", v, err)
		}
	}
	if got, want := read(), fmt.Sprintf(format, -12.5, 0.25, true); got != want {
		t.Errorf("after writing: want %s, got %s", want, got)
	}
}

// A slave that nobody here wrote, on a line that two sensors share with one that is not there.
func TestPymodbusRTU(t *testing.T) {
	ours, theirs := connected(t)
	pymodbus(t, "rtu", theirs)
	h := newHost(t)
	options := func(unit int, multiple bool) *modbus.RTU {
		o := modbus.SpecRTU.Options().(*modbus.RTU)
		o.UnitID, o.Registers, o.Baud, o.WriteMultiple = unit, peerMap(), 19200, multiple
		o.Timeout = 2 * time.Second // a busy machine's Python
		return o
	}
	a := readUntilThere(t, modbus.SpecRTU, h, ours, options(1, false))
	b := readUntilThere(t, modbus.SpecRTU, h, ours, options(17, true))
	checkPeer(t, a, 100)
	checkPeer(t, b, 500)
	absent := options(2, false)
	absent.Timeout = 200 * time.Millisecond
	c, err := modbus.SpecRTU.Open(t.Context(), h, ours, absent)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Read(t.Context()); !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "unit 2: reading holding registers 0 to 2: no answer within 200ms") {
		t.Errorf("an absent unit: want a timeout, got %v", err)
	}
	if _, err := a.Read(t.Context()); err != nil {
		t.Errorf("after the absent unit: %v", err)
	}
}

func TestPymodbusTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skip("no loopback interface here: ", err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil { // pymodbus cannot be given a listener
		t.Fatal(err)
	}
	pymodbus(t, "tcp", address)
	h := newHost(t)
	for unit, first := range map[int]int{1: 100, 17: 500} {
		o := modbus.SpecTCP.Options().(*modbus.TCP)
		o.UnitID, o.Registers, o.Timeout = unit, peerMap(), 5*time.Second
		checkPeer(t, readUntilThere(t, modbus.SpecTCP, h, address, o), first)
	}
}

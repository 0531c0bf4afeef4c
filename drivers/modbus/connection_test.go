package modbus_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/modbus"
	"github.com/fieldgate/fieldgate/drivers/modbus/modbustest"
)

// A server is a device in the network, with the manners of a real one.
type server struct {
	answer func(q []byte) []byte
	deaf   time.Duration // after connecting: what comes in that time is ignored
	closes bool          // what comes in that time ends the connection instead
	idle   time.Duration // without a request, after which it hangs up; 0 is never
	after  int           // answers after which it hangs up; 0 is none
	single bool          // it closes a second connection while it has one

	mu    sync.Mutex
	open  map[net.Conn]bool
	taken int // connections
}

// start lets the server listen, and returns its address.
func (s *server) start(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.open = map[net.Conn]bool{}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.taken++
			busy := s.single && len(s.open) > 0
			if !busy {
				s.open[c] = true
			}
			s.mu.Unlock()
			if busy {
				c.Close()
				continue
			}
			serving.Go(func() {
				s.serve(c)
				c.Close()
				s.mu.Lock()
				delete(s.open, c)
				s.mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.mu.Lock()
		for c := range s.open {
			c.Close()
		}
		s.mu.Unlock()
		serving.Wait()
	})
	return l.Addr().String()
}

// free waits until nobody has a connection.
func (s *server) free(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		n := len(s.open)
		s.mu.Unlock()
		if n == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the connection is not closed")
		}
	}
}

func (s *server) serve(c net.Conn) {
	begin := time.Now()
	buf := make([]byte, 512)
	for answers := 0; s.after == 0 || answers < s.after; {
		if s.idle > 0 {
			if err := c.SetReadDeadline(time.Now().Add(s.idle)); err != nil {
				return
			}
		}
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		if time.Since(begin) < s.deaf {
			if s.closes {
				return
			}
			continue
		}
		if a := s.answer(buf[:n]); a != nil {
			answers++
			if _, err := c.Write(a); err != nil {
				return
			}
		}
	}
}

// frames are the answers of a device with three registers, by the driver that reads it.
func frames() map[string]func(q []byte) []byte {
	units := map[byte]*modbustest.Unit{1: modbustest.NewUnit().Holding(0, 1).Holding(10, 2).Holding(20, 3)}
	line := &modbustest.Line{Units: units}
	return map[string]func(q []byte) []byte{
		"modbus-tcp": func(q []byte) []byte { return modbustest.TCP(units, q) },
		"modbus-rtu": func(q []byte) []byte { a, _ := line.Hears(q); return a },
	}
}

// openServer opens a driver with three requests a reading on a server.
func openServer(t *testing.T, name, address string, change func(*modbus.TCP)) drivers.Driver {
	t.Helper()
	common := modbus.SpecTCP.Options().(*modbus.TCP)
	common.Registers = []modbus.Register{{Field: "a"}, {Field: "b", Address: 10}, {Field: "c", Address: 20}}
	common.Timeout = time.Second
	if change != nil {
		change(common)
	}
	spec, options := modbus.SpecTCP, any(common)
	if name == "modbus-rtu" {
		spec = modbus.SpecRTU
		o := spec.Options().(*modbus.RTU)
		o.Baud, o.Registers, o.Timeout, o.ConnectDelay, o.CloseAfterRead = 115200, common.Registers, common.Timeout, common.ConnectDelay, common.CloseAfterRead
		options = o
	}
	if err := options.(interface{ Check() error }).Check(); err != nil {
		t.Fatal(err)
	}
	d, err := spec.Open(t.Context(), newHost(t), address, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func mustRead(t *testing.T, d drivers.Driver) {
	t.Helper()
	values, err := d.Read(t.Context())
	if err != nil || len(values) != 3 || values[0].Int() != 1 || values[1].Int() != 2 || values[2].Int() != 3 {
		t.Fatalf("got %#v, %v", values, err)
	}
}

// TestConnections: whatever habits a device has, every reading succeeds.
func TestConnections(t *testing.T) {
	const delay = 150 * time.Millisecond
	wait := func(c *modbus.TCP) { c.ConnectDelay = delay + 200*time.Millisecond }
	closing := func(c *modbus.TCP) { c.CloseAfterRead = true }
	tests := []struct {
		name   string
		server *server
		change func(*modbus.TCP)
		alone  bool // the device is without a connection between readings
		taken  int  // connections in three readings; 0 is any number
	}{
		{"patient", &server{}, nil, false, 1},
		{"hangs up after each answer", &server{after: 1}, nil, false, 0},
		{"hangs up after each second answer", &server{after: 2}, nil, false, 0},
		{"hangs up when idle", &server{idle: 200 * time.Millisecond}, nil, true, 0},
		{"deaf after connecting", &server{deaf: delay}, wait, false, 1},
		{"hangs up when asked early", &server{deaf: delay, closes: true}, wait, false, 1},
		{"hangs up when idle, and is deaf", &server{deaf: delay, idle: 700 * time.Millisecond}, wait, true, 0},
		{"closed after each reading", &server{}, closing, true, 3},
		{"takes one connection", &server{single: true}, closing, true, 3},
	}
	for name, answer := range frames() {
		for _, test := range tests {
			t.Run(name+" "+test.name, func(t *testing.T) {
				s := test.server
				s.answer, s.taken = answer, 0
				d := openServer(t, name, s.start(t), test.change)
				for range 3 {
					mustRead(t, d)
					if test.alone {
						s.free(t)
					}
				}
				s.mu.Lock()
				defer s.mu.Unlock()
				if s.taken != test.taken && test.taken != 0 {
					t.Errorf("want %d connections, got %d", test.taken, s.taken)
				}
			})
		}
	}
}

// TestCloseAfterReadLetsOthersIn: another client has the device's only connection in the pauses,
// also after a reading that failed.
func TestCloseAfterReadLetsOthersIn(t *testing.T) {
	for name, answer := range frames() {
		t.Run(name, func(t *testing.T) {
			dead := true
			s := &server{single: true, answer: func(q []byte) []byte {
				if dead {
					return nil
				}
				return answer(q)
			}}
			address := s.start(t)
			d := openServer(t, name, address, func(c *modbus.TCP) { c.CloseAfterRead = true })
			other := func() {
				t.Helper()
				s.free(t)
				c, err := net.Dial("tcp", address)
				if err != nil {
					t.Fatal(err)
				}
				defer s.free(t)
				defer c.Close()
				if err := c.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
					t.Fatal(err)
				}
				if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
					t.Errorf("the other client was thrown out: %v", err)
				}
			}
			if _, err := d.Read(t.Context()); err == nil {
				t.Error("want an error")
			}
			other()
			dead = false
			mustRead(t, d)
			other()
			mustRead(t, d)
		})
	}
}

// TestClosedConnectionNamesOptions: a device that hangs up without an answer.
func TestClosedConnectionNamesOptions(t *testing.T) {
	for name, answer := range frames() {
		s := &server{deaf: time.Hour, closes: true, answer: answer}
		address := s.start(t)
		_, err := openServer(t, name, address, nil).Read(t.Context())
		other := map[string]string{"modbus-tcp": "modbus-rtu", "modbus-rtu": "modbus-tcp"}[name]
		for _, want := range []string{"the connection to " + address, "connect_delay", "close_after_read", other} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("want %q in: %v", want, err)
			}
		}
	}
}

package bus

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
)

func newHost(t *testing.T) *Host {
	h := New(slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func openPty(t *testing.T) (*os.File, *port) {
	t.Helper()
	master, name := drivertest.Pty(t)
	p, err := newHost(t).Port(t.Context(), name, drivers.SerialMode{Baud: 115200})
	if err != nil {
		t.Fatal(err)
	}
	return master, portOf(p)
}

// portOf returns the port behind what the Host hands out.
func portOf(p drivers.Port) *port { return p.(*lease).stream.(*port) }

func TestSerialBytes(t *testing.T) {
	master, p := openPty(t)
	if n, err := p.Write([]byte("ping\r\n")); n != 6 || err != nil {
		t.Fatalf("Write: %d, %v", n, err)
	}
	buf := make([]byte, 100)
	n, err := master.Read(buf)
	if err != nil || string(buf[:n]) != "ping\r\n" {
		t.Errorf("the device got %q, %v", buf[:n], err)
	}
	all := make([]byte, 256) // the line must change none of them
	for i := range all {
		all[i] = byte(i)
	}
	if _, err := master.Write(all); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for len(got) < len(all) {
		n, err := p.Read(buf)
		if err != nil {
			t.Fatalf("after %d bytes: %v", len(got), err)
		}
		got = append(got, buf[:n]...)
	}
	if !bytes.Equal(got, all) {
		t.Errorf("want all bytes unchanged, got % x", got)
	}
}

// go.bug.st/serial returns (0, nil) on a timeout.
func TestSerialReadTimeout(t *testing.T) {
	master, p := openPty(t)
	buf := make([]byte, 4)
	for _, timeout := range []time.Duration{0, time.Millisecond} {
		if err := p.SetReadTimeout(timeout); err != nil {
			t.Fatal(err)
		}
		if n, err := p.Read(buf); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("timeout %v: want os.ErrDeadlineExceeded, got %d, %v", timeout, n, err)
		}
	}
	if _, err := master.Write([]byte("ab")); err != nil {
		t.Fatal(err)
	}
	if err := p.SetReadTimeout(time.Minute); err != nil {
		t.Fatal(err)
	}
	if n, err := p.Read(buf[:1]); n != 1 || err != nil { // now the second byte has arrived too
		t.Fatalf("want a byte, got %d, %v", n, err)
	}
	if err := p.SetReadTimeout(0); err != nil {
		t.Fatal(err)
	}
	if n, err := p.Read(buf); n != 1 || err != nil || buf[0] != 'b' {
		t.Errorf("want the byte that has arrived, got %d, %v", n, err)
	}
	if err := p.SetReadTimeout(-1); err == nil {
		t.Error("want a negative timeout refused")
	}
}

// go.bug.st/serial wrote into the file that had got the number.
func TestSerialWriteAfterCloseReachesNobody(t *testing.T) {
	_, p := openPty(t)
	raw, err := p.file.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	number := -1
	if err := raw.Control(func(fd uintptr) { number = int(fd) }); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.Close(), p.Close()); err != nil {
		t.Fatal(err)
	}
	victim := filepath.Join(t.TempDir(), "queue.db")
	f, err := os.Create(victim)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if int(f.Fd()) != number {
		t.Skipf("the number %d went to somebody else", number)
	}
	if _, err := p.Write([]byte("\x01\x03\x00")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("want os.ErrClosed, got %v", err)
	}
	if _, err := p.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("want os.ErrClosed, got %v", err)
	}
	if content, err := os.ReadFile(victim); err != nil || len(content) > 0 {
		t.Errorf("the bytes went into another file: % x, %v", content, err)
	}
}

// go.bug.st/serial's Close leaves a Write waiting that the device does not take.
func TestSerialCloseReleasesReadAndWrite(t *testing.T) {
	_, p := openPty(t)
	if err := p.SetReadTimeout(time.Hour); err != nil {
		t.Fatal(err)
	}
	p.perByte = time.Hour // no limit to wait for
	ended := make(chan error, 2)
	go func() {
		_, err := p.Write(make([]byte, 1<<20)) // more than a pseudo-terminal keeps
		ended <- err
	}()
	go func() {
		_, err := p.Read(make([]byte, 1))
		ended <- err
	}()
	select {
	case err := <-ended:
		t.Fatalf("want both to wait, got %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-ended; !errors.Is(err, os.ErrClosed) {
			t.Errorf("want os.ErrClosed, got %v", err)
		}
	}
}

func TestSerialWriteIsBounded(t *testing.T) {
	_, p := openPty(t)
	p.perByte, p.writeSlack = 0, 10*time.Millisecond
	n, err := p.Write(make([]byte, 2<<20))
	if !errors.Is(err, os.ErrDeadlineExceeded) || n == 2<<20 {
		t.Errorf("want os.ErrDeadlineExceeded, got %d, %v", n, err)
	}
}

// go.bug.st/serial panics in Read when the number of its file is 1024 or more.
func TestSerialWithManyFilesOpen(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < 1200 {
		t.Skipf("no more than %d files may be open", limit.Cur)
	}
	for range 1050 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
	}
	master, p := openPty(t)
	if _, err := master.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1)
	if n, err := p.Read(buf); n != 1 || err != nil || buf[0] != 'x' {
		t.Errorf("want the byte, got %d, %v", n, err)
	}
}

func TestSerialUnplugged(t *testing.T) {
	master, name := drivertest.Pty(t)
	h := newHost(t)
	p, err := h.Port(t.Context(), name, drivers.SerialMode{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.SetReadTimeout(time.Hour); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := p.Read(make([]byte, 1))
		ended <- err
	}()
	if err := master.Close(); err != nil {
		t.Fatal(err)
	}
	err = <-ended
	if !errors.Is(err, os.ErrClosed) || !strings.Contains(err.Error(), name+" was unplugged") {
		t.Errorf("Read: want unplugged and os.ErrClosed, got %v", err)
	}
	if _, err := p.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Write: want os.ErrClosed, got %v", err)
	}
	if !portOf(p).isClosed() {
		t.Error("want the file closed, which keeps the name from the adapter")
	}
	if _, err := h.Port(t.Context(), name, drivers.SerialMode{}); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "plugged in") {
		t.Errorf("want a port that is not there reported so, got %v", err)
	}
	master2, name2 := drivertest.Pty(t)
	if name2 != name {
		t.Skipf("the new pseudo-terminal is %s, not %s", name2, name)
	}
	p, err = h.Port(t.Context(), name, drivers.SerialMode{})
	if err != nil {
		t.Fatalf("want the port opened anew, got %v", err)
	}
	if _, err := master2.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if n, err := p.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("want a byte, got %d, %v", n, err)
	}
}

func TestSerialUnpluggedWithoutWaiting(t *testing.T) {
	master, p := openPty(t)
	if err := errors.Join(master.Close(), p.SetReadTimeout(0)); err != nil {
		t.Fatal(err)
	}
	if n, err := p.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrClosed) {
		t.Errorf("want os.ErrClosed, got %d, %v", n, err)
	}
}

func TestSerialBelongsToOneSensor(t *testing.T) {
	_, name := drivertest.Pty(t)
	link := filepath.Join(t.TempDir(), "usb-FTDI-port0")
	if err := os.Symlink(name, link); err != nil {
		t.Fatal(err)
	}
	h := newHost(t)
	p, err := h.Port(t.Context(), link, drivers.SerialMode{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Port(t.Context(), name, drivers.SerialMode{}); err == nil || !strings.Contains(err.Error(), "held by another sensor of this gateway (as "+link) {
		t.Errorf("want the port refused to a second sensor, also by its other name, got %v", err)
	}
	if err := p.(io.Closer).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Port(t.Context(), name, drivers.SerialMode{}); err != nil {
		t.Errorf("want the port free after Close, got %v", err)
	}
}

// The kernel keeps a pseudo-terminal taken after the program that took it has ended, for anyone but
// root.
func TestPtyIsNotLeftTaken(t *testing.T) {
	_, p := openPty(t)
	if taken, err := unix.IoctlGetInt(int(p.file.Fd()), unix.TIOCGEXCL); err != nil || taken != 0 {
		t.Errorf("want it not taken, got %d, %v", taken, err)
	}
}

func TestSerialModes(t *testing.T) {
	tests := []struct {
		name string
		mode drivers.SerialMode
		want string // part of the error
	}{
		{"baud 0 is the default", drivers.SerialMode{}, ""},
		{"negative baud", drivers.SerialMode{Baud: -1}, "baud -1"},
		{"baud too low", drivers.SerialMode{Baud: 8}, "baud 8"},
		{"nine data bits", drivers.SerialMode{DataBits: 9}, "9 data bits"},
		{"mark parity", drivers.SerialMode{Parity: "mark"}, `parity "mark"`},
		{"three stop bits", drivers.SerialMode{StopBits: 3}, "3 stop bits"},
		{"OK 7E2", drivers.SerialMode{Baud: 300, DataBits: 7, Parity: "even", StopBits: 2}, ""},
		{"OK odd", drivers.SerialMode{Parity: "odd"}, ""},
		{"OK baud that is no constant", drivers.SerialMode{Baud: 250000}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, name := drivertest.Pty(t)
			_, err := newHost(t).Port(t.Context(), name, test.mode)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("want %q, got %v", test.want, err)
			}
		})
	}
}

func TestSerialLineIsSetUp(t *testing.T) {
	master, name := drivertest.Pty(t)
	if _, err := newHost(t).Port(t.Context(), name, drivers.SerialMode{Baud: 38400, DataBits: 8, StopBits: 2}); err != nil {
		t.Fatal(err)
	}
	got, err := unix.IoctlGetTermios(int(master.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if got.Cflag&unix.CBAUD != unix.B38400 || got.Cflag&unix.CSTOPB == 0 || got.Lflag&(unix.ICANON|unix.ECHO) != 0 {
		t.Errorf("want 38400 8N2 raw after the file of go.bug.st/serial was closed, got cflag %#x, lflag %#x", got.Cflag, got.Lflag)
	}
}

func TestNoSerialPort(t *testing.T) {
	if _, err := newHost(t).Port(t.Context(), os.DevNull, drivers.SerialMode{}); err == nil || !strings.Contains(err.Error(), "is not a serial port") {
		t.Errorf("want %s refused, got %v", os.DevNull, err)
	}
}

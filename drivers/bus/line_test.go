package bus

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/kit/devfile"
)

func closePort(t *testing.T, p drivers.Port) {
	t.Helper()
	if err := p.(io.Closer).Close(); err != nil {
		t.Error(err)
	}
}

func TestSharedPort(t *testing.T) {
	master, name := drivertest.Pty(t)
	h := newHost(t)
	mode := drivers.SerialMode{Baud: 19200, Shared: true}
	a, err := h.Port(t.Context(), name, mode)
	if err != nil {
		t.Fatal(err)
	}
	b, err := h.Port(t.Context(), name, mode)
	if err != nil {
		t.Fatalf("want the port shared, got %v", err)
	}
	if portOf(a) != portOf(b) {
		t.Fatal("want one port")
	}
	buf := make([]byte, 10)
	for i, p := range []drivers.Port{a, b} {
		if _, err := p.Write([]byte{byte('a' + i)}); err != nil {
			t.Fatal(err)
		}
		if n, err := master.Read(buf); n != 1 || err != nil || buf[0] != byte('a'+i) {
			t.Errorf("the line got %q, %v", buf[:n], err)
		}
	}
	closePort(t, a)
	closePort(t, a)
	if _, err := a.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Write after Close: want os.ErrClosed, got %v", err)
	}
	if _, err := a.Read(buf); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Read after Close: want os.ErrClosed, got %v", err)
	}
	if _, err := b.Write([]byte("y")); err != nil {
		t.Errorf("want the port open for the other, got %v", err)
	}
	closePort(t, b)
	if !portOf(b).isClosed() {
		t.Error("want the port closed with its last user")
	}
	if _, err := h.Port(t.Context(), name, drivers.SerialMode{}); err != nil {
		t.Errorf("want it free, got %v", err)
	}
}

func TestSharedPortRefusals(t *testing.T) {
	_, name := drivertest.Pty(t)
	link := filepath.Join(t.TempDir(), "usb-FTDI-port0")
	if err := os.Symlink(name, link); err != nil {
		t.Fatal(err)
	}
	h := newHost(t)
	if _, err := h.Port(t.Context(), name, drivers.SerialMode{Baud: 19200, Parity: "even", Shared: true}); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		port string
		mode drivers.SerialMode
		want string
	}{
		{"another mode", name, drivers.SerialMode{Baud: 9600, Shared: true}, "has set it to 19200 8E1, and this one wants 9600 8N1"},
		{"for itself", name, drivers.SerialMode{Baud: 19200, Parity: "even"}, "held by another sensor of this gateway (as " + name},
		{"another name", link, drivers.SerialMode{Baud: 19200, Parity: "even", Shared: true}, "calls it " + name + ": give all sensors on one line the same `bus`"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := h.Port(t.Context(), test.port, test.mode); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("want %q, got %v", test.want, err)
			}
		})
	}
}

// All users of a line that is unplugged are told so, and the first to ask opens it again for all.
func TestSharedPortUnplugged(t *testing.T) {
	master, name := drivertest.Pty(t)
	link := filepath.Join(t.TempDir(), "by-id")
	if err := os.Symlink(name, link); err != nil {
		t.Fatal(err)
	}
	h := newHost(t)
	mode := drivers.SerialMode{Shared: true}
	a, errA := h.Port(t.Context(), link, mode)
	b, errB := h.Port(t.Context(), link, mode)
	if err := errors.Join(errA, errB, master.Close()); err != nil {
		t.Fatal(err)
	}
	for _, p := range []drivers.Port{a, b} {
		if _, err := p.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
			t.Errorf("want os.ErrClosed, got %v", err)
		}
	}
	master2, name2 := drivertest.Pty(t)
	if err := errors.Join(os.Remove(link), os.Symlink(name2, link)); err != nil {
		t.Fatal(err)
	}
	closePort(t, a)
	a, err := h.Port(t.Context(), link, mode)
	if err != nil {
		t.Fatal(err)
	}
	closePort(t, b) // of the lost line: it must not take the new one along
	b, err = h.Port(t.Context(), link, mode)
	if err != nil || portOf(a) != portOf(b) {
		t.Fatalf("want the new port shared, got %v", err)
	}
	if _, err := master2.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if n, err := b.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("want a byte, got %d, %v", n, err)
	}
}

func TestBusyPortNamesTheProgram(t *testing.T) {
	_, name := drivertest.Pty(t)
	slave, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	other := exec.Command("sleep", "60")
	other.Stdin = slave
	if err := errors.Join(other.Start(), slave.Close()); err != nil {
		t.Skip("no other program to hold the port: ", err)
	}
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	until := time.Now().Add(10 * time.Second)
	// it is still the test's program until exec
	for !strings.Contains(devfile.Busy(name), "(sleep)") {
		if time.Now().After(until) {
			t.Fatalf("want the program named, got %s", devfile.Busy(name))
		}
		time.Sleep(time.Millisecond)
	}
	if os.Geteuid() != 0 {
		t.Skip("a port in use is refused by the kernel, which an ordinary program does not ask to")
	}
	if _, err := newHost(t).Port(t.Context(), name, drivers.SerialMode{}); err == nil || !strings.Contains(err.Error(), "(sleep)") {
		t.Errorf("want the port refused, got %v", err)
	}
}

func TestRS485(t *testing.T) {
	_, name := drivertest.Pty(t)
	_, err := newHost(t).Port(t.Context(), name, drivers.SerialMode{RS485: drivers.RS485{Enabled: true}})
	if err == nil || !strings.Contains(err.Error(), name+" could not be set up: the kernel's driver of this port cannot switch an RS-485 transceiver: leave rs485 out") {
		t.Errorf("want a pseudo-terminal refused with what to do, got %v", err)
	}
}

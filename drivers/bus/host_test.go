package bus

import (
	"errors"
	"log/slog"
	"os"
	"syscall"
	"testing"

	"github.com/fieldgate/fieldgate/drivers"
)

func TestClosedHost(t *testing.T) {
	h := New(slog.New(slog.DiscardHandler))
	if err := errors.Join(h.Close(), h.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.I2C("/dev/i2c-1"); !errors.Is(err, os.ErrClosed) {
		t.Errorf("want os.ErrClosed, got %v", err)
	}
	if _, err := h.Port(t.Context(), "/dev/ttyUSB0", drivers.SerialMode{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("want os.ErrClosed, got %v", err)
	}
}

func TestI2CBusIsSharedUntilLost(t *testing.T) {
	h := New(slog.New(slog.DiscardHandler))
	f, b := newFake(t)
	h.i2c["/dev/i2c-77"] = b
	b.name = "/dev/i2c-77"
	for range 2 {
		if got, err := h.I2C("/dev/i2c-77"); err != nil || got != b {
			t.Errorf("want the same bus, got %v, %v", got, err)
		}
	}
	f.errno = syscall.ENODEV
	if err := b.Tx(0x76, []byte{1}, nil); !errors.Is(err, os.ErrClosed) {
		t.Fatal(err)
	}
	if _, err := h.I2C("/dev/i2c-77"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("want it opened anew, which fails here, got %v", err)
	}
}

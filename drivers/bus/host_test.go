package bus

import (
	"errors"
	"log/slog"
	"os"
	"strings"
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
	if _, err := h.Serial("/dev/ttyUSB0", drivers.SerialMode{}); !errors.Is(err, os.ErrClosed) {
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

func TestPermissionNamesTheRemedy(t *testing.T) {
	if err := explainOpen("I2C bus", "i2c:1", "/dev/null", syscall.EACCES, "", nil); !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), "/60-fieldgate.rules") {
		t.Errorf("got %v", err)
	}
	const group, rule = "run: sudo usermod -aG 54321 <user", `KERNEL=="i2c-1", GROUP=`
	for _, tt := range []struct {
		mode uint32
		gid  int
		want string
	}{
		{0o660, 54321, group},
		{0o666, 54321, group},
		{0o600, 54321, rule},
		{0o640, 54321, rule},
		{0o660, 0, rule}, // nobody should be in the group root
	} {
		if got := rights("/dev/i2c-1", tt.mode, tt.gid); !strings.Contains(got, tt.want) {
			t.Errorf("mode %o, group %d: %s", tt.mode, tt.gid, got)
		}
	}
}

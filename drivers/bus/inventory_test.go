package bus

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

func TestScanI2C(t *testing.T) {
	h := New(slog.New(slog.DiscardHandler))
	f, b := newFake(t)
	h.sys, h.i2c["/dev/i2c-77"], b.name = b.sys, b, "/dev/i2c-77"
	device := filepath.Join(b.sys, "bus/i2c/devices/77-0068")
	if err := errors.Join(os.MkdirAll(device, 0o755), os.Symlink("x/rtc-ds1307", filepath.Join(device, "driver"))); err != nil {
		t.Fatal(err)
	}
	k := f.kernel()
	transfer := k.ioctl
	k.ioctl = func(fd int, request uintptr, arg unsafe.Pointer) syscall.Errno {
		f.errno = syscall.ENXIO
		msgs := *(*unsafe.Pointer)(arg)
		if addr := *(*uint16)(msgs); addr == 0x76 || addr == 0x48 {
			f.errno = 0
		}
		return transfer(fd, request, arg)
	}
	b.kernel = k
	found, err := h.ScanI2C(t.Context(), "/dev/i2c-77")
	if got := fmt.Sprint(found); err != nil || got != "[{72  } {104 rtc-ds1307 read it through the kernel} {118  }]" {
		t.Errorf("got %s, %v", got, err)
	}
	if len(f.messages) != 0x70-1 {
		t.Errorf("want each address but the kernel's asked once, got %d", len(f.messages))
	}
	for _, m := range f.messages {
		if !strings.Contains(m, " 1 ") {
			t.Fatalf("want nothing but readings of one byte, got %s", m)
		}
	}
	k.ioctl = func(int, uintptr, unsafe.Pointer) syscall.Errno { return syscall.ETIMEDOUT }
	b.kernel, b.hang = k, hang{}
	if _, err := h.ScanI2C(t.Context(), "/dev/i2c-77"); !errors.Is(err, os.ErrClosed) || !strings.Contains(err.Error(), "hangs") {
		t.Errorf("want a bus that hangs left alone, got %v", err)
	}
}

package bus

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"periph.io/x/conn/v3/physic"

	"github.com/fieldgate/fieldgate/drivers/kit/board"
)

// A fakeKernel answers the ioctls of an i2c-dev file and keeps what it was asked.
type fakeKernel struct {
	mu       sync.Mutex
	funcs    uintptr
	errno    syscall.Errno // of the transfers
	sets     map[uintptr]uintptr
	messages []string // of the transfers
	inside   int
	closed   []int
}

func (f *fakeKernel) kernel() kernel {
	return kernel{
		ioctl: func(fd int, request uintptr, arg unsafe.Pointer) syscall.Errno {
			switch request {
			case 0x705:
				*(*uintptr)(arg) = f.funcs
				return 0
			case 0x707:
				return f.transfer(arg)
			}
			return syscall.ENOTTY
		},
		set: func(fd int, request, value uintptr) syscall.Errno {
			f.sets[request] = value
			return 0
		},
		close: func(fd int) error { f.closed = append(f.closed, fd); return nil },
	}
}

// transfer reads the structs as the kernel does: by the offsets of linux/i2c.h and linux/i2c-dev.h.
func (f *fakeKernel) transfer(arg unsafe.Pointer) syscall.Errno {
	f.mu.Lock()
	f.inside++
	if f.inside > 1 {
		panic("two transfers at a time")
	}
	f.mu.Unlock()
	defer func() { f.mu.Lock(); f.inside--; f.mu.Unlock() }()

	const word = unsafe.Sizeof(uintptr(0))
	msgs, n := *(*unsafe.Pointer)(arg), *(*uint32)(unsafe.Add(arg, word))
	for i := range uintptr(n) {
		m := unsafe.Add(msgs, i*(8+word))
		addr, flags, length := *(*uint16)(m), *(*uint16)(unsafe.Add(m, 2)), *(*uint16)(unsafe.Add(m, 4))
		buf := unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Add(m, 8))), length)
		f.messages = append(f.messages, fmt.Sprintf("%02x %d %x", addr, flags, buf))
		if flags&1 != 0 && f.errno == 0 {
			for j := range buf {
				buf[j] = byte(0xa0 + j)
			}
		}
	}
	return f.errno
}

func newFake(t *testing.T) (*fakeKernel, *i2cBus) {
	t.Helper()
	f := &fakeKernel{funcs: 0xeff0001, sets: map[uintptr]uintptr{}}
	b, err := newI2C("/dev/i2c-1", t.TempDir(), 99, f.kernel(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return f, b
}

func TestI2CTransfer(t *testing.T) {
	tests := []struct {
		name string
		w    []byte
		read int
		want string
	}{
		{"write", []byte{0xf4, 0x25}, 0, "76 0 f425"},
		{"read", nil, 2, "76 1 0000"},
		{"write then read", []byte{0xd0}, 1, "76 0 d0;76 1 00"},
		{"nothing", nil, 0, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f, b := newFake(t)
			r := make([]byte, test.read)
			if err := b.Tx(0x76, test.w, r); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(f.messages, ";"); got != test.want {
				t.Errorf("want messages %q, got %q", test.want, got)
			}
			if want := []byte{0xa0, 0xa1}[:test.read]; !bytes.Equal(r, want) {
				t.Errorf("want % x read, got % x", want, r)
			}
			if b.msgs != [2]i2cMsg{} {
				t.Error("the bus keeps the caller's buffers")
			}
		})
	}
}

func TestI2CTransferDoesNotAllocate(t *testing.T) {
	f, b := newFake(t)
	w, r := []byte{1}, make([]byte, 8)
	k := f.kernel()
	k.ioctl = func(int, uintptr, unsafe.Pointer) syscall.Errno { return 0 }
	b.kernel = k
	if n := testing.AllocsPerRun(100, func() { _ = b.Tx(0x76, w, r) }); n != 0 {
		t.Errorf("want no allocation, got %v", n)
	}
}

func TestI2COpen(t *testing.T) {
	f, _ := newFake(t)
	if f.sets[0x702] != timeout || f.sets[0x701] != retries {
		t.Errorf("want timeout and retries set, got %v", f.sets)
	}
	smbus := &fakeKernel{funcs: 0xeff0000}
	if _, err := newI2C("/dev/i2c-9", "", 3, smbus.kernel(), nil); err == nil || !strings.Contains(err.Error(), "SMBus") {
		t.Errorf("want an adapter without I2C transfers refused, got %v", err)
	}
	if _, err := openI2C(os.DevNull, "", nil); err == nil || !strings.Contains(err.Error(), "is not an I2C bus") {
		t.Errorf("want %s refused, got %v", os.DevNull, err)
	}
	_, err := openI2C("/dev/i2c-none", "", nil)
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), board.Here().EnableI2C()) || strings.Contains(err.Error(), "no such file") {
		t.Errorf("want a remedy for a bus that does not exist, got %v", err)
	}
}

func TestI2CErrors(t *testing.T) {
	tests := []struct {
		errno syscall.Errno
		want  string
	}{
		{syscall.ENXIO, "/dev/i2c-1: address 0x76: no answer"},
		{syscall.EREMOTEIO, "/dev/i2c-1: address 0x76: no answer"},
		{syscall.ETIMEDOUT, "power-cycle"},
		{syscall.EAGAIN, "another master"},
		{syscall.EINVAL, "the transfer failed"},
	}
	for _, test := range tests {
		t.Run(test.errno.Error(), func(t *testing.T) {
			f, b := newFake(t)
			f.errno = test.errno
			err := b.Tx(0x76, []byte{0xd0}, nil)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("want %q, got %v", test.want, err)
			}
			var call *os.SyscallError
			if !errors.As(err, &call) || call.Err != test.errno || errors.Is(err, os.ErrClosed) {
				t.Errorf("want the errno kept and the bus open, got %v", err)
			}
		})
	}
}

func TestI2CRefusals(t *testing.T) {
	f, b := newFake(t)
	if err := b.Tx(0x80, []byte{1}, nil); err == nil {
		t.Error("want an 8-bit address refused")
	}
	if err := b.Tx(0x10, make([]byte, 8193), nil); err == nil {
		t.Error("want a message of 8193 bytes refused")
	}
	if err := b.SetSpeed(100 * physic.KiloHertz); err == nil {
		t.Error("want SetSpeed refused")
	}
	if len(f.messages) > 0 {
		t.Errorf("want no transfer, got %v", f.messages)
	}
}

func TestI2CAddressOfAKernelDriver(t *testing.T) {
	f, b := newFake(t)
	device := filepath.Join(b.sys, "bus/i2c/devices/1-0068")
	if err := os.MkdirAll(device, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../drivers/rtc-ds1307", filepath.Join(device, "driver")); err != nil {
		t.Fatal(err)
	}
	err := b.Tx(0x68, []byte{0}, nil)
	if err == nil || !strings.Contains(err.Error(), "0x68 is used by the kernel driver rtc-ds1307") || !strings.Contains(err.Error(), "read it through the kernel") {
		t.Errorf("want the kernel's driver named, got %v", err)
	}
	if err := os.MkdirAll(filepath.Join(device, "hwmon/hwmon2"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := b.Tx(0x68, []byte{0}, nil); err == nil || !strings.Contains(err.Error(), `use driver = "hwmon"`) {
		t.Errorf("want the way through the kernel, got %v", err)
	}
	if err := b.Tx(0x69, []byte{0}, nil); err != nil || len(f.messages) != 1 {
		t.Errorf("want another address free, got %v", err)
	}
}

func TestI2CUnplugged(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.ENODEV, syscall.EIO} {
		t.Run(errno.Error(), func(t *testing.T) {
			f, b := newFake(t)
			b.name = "/dev/i2c-that-was-unplugged"
			f.errno = errno
			for range 2 {
				if err := b.Tx(0x76, []byte{1}, nil); !errors.Is(err, os.ErrClosed) {
					t.Errorf("want os.ErrClosed, got %v", err)
				}
			}
			if len(f.messages) != 1 || fmt.Sprint(f.closed) != "[99]" || !b.isLost() {
				t.Errorf("want the file closed after the first transfer, got %d transfers, closed %v", len(f.messages), f.closed)
			}
		})
	}
	t.Run("EIO while the adapter is there", func(t *testing.T) {
		f, b := newFake(t)
		b.name, f.errno = os.DevNull, syscall.EIO
		if err := b.Tx(0x76, []byte{1}, nil); errors.Is(err, os.ErrClosed) || b.isLost() {
			t.Errorf("want a plain error, got %v", err)
		}
	})
}

// An adapter whose driver is unbound goes only when no program has its file open any more, and its
// transfers succeed until then: the bus has to let go of a file that was deleted.
func TestI2CAdapterTakenAway(t *testing.T) {
	f, b := newFake(t)
	file, err := os.CreateTemp(t.TempDir(), "i2c-")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	b.fd = int(file.Fd())
	if err := b.Tx(0x76, []byte{1}, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file.Name()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := b.Tx(0x76, []byte{1}, nil); !errors.Is(err, os.ErrClosed) || !strings.Contains(err.Error(), "was unplugged") {
			t.Errorf("want os.ErrClosed, got %v", err)
		}
	}
	if len(f.messages) != 1 || fmt.Sprint(f.closed) != fmt.Sprint([]int{int(file.Fd())}) || !b.isLost() {
		t.Errorf("want the file closed and no transfer after that, got %d transfers, closed %v", len(f.messages), f.closed)
	}
}

// A file number is given away by close: a transfer after it would reach somebody else's file.
func TestI2CCloseDuringTransfers(t *testing.T) {
	f, b := newFake(t)
	k, open := f.kernel(), true
	transfer := k.ioctl
	k.ioctl = func(fd int, request uintptr, arg unsafe.Pointer) syscall.Errno {
		if !open || fd != 99 {
			t.Errorf("transfer on file %d after close", fd)
		}
		return transfer(fd, request, arg)
	}
	k.close = func(int) error { open = false; return nil }
	b.kernel = k
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				if err := b.Tx(0x76, []byte{1}, make([]byte, 2)); err != nil {
					if !errors.Is(err, os.ErrClosed) {
						t.Errorf("want os.ErrClosed, got %v", err)
					}
					return
				}
			}
		})
	}
	if err := errors.Join(b.Close(), b.Close()); err != nil {
		t.Error(err)
	}
	wg.Wait()
}

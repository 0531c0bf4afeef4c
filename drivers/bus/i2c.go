package bus

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"

	"github.com/fieldgate/fieldgate/drivers/kit/board"
	"github.com/fieldgate/fieldgate/drivers/kit/devfile"
)

// Requests and flags of linux/i2c-dev.h and linux/i2c.h.
const (
	i2cRetries = 0x701 // int: how often the adapter repeats a lost arbitration
	i2cTimeout = 0x702 // int: how long it waits for a transfer, in units of 10 ms
	i2cFuncs   = 0x705 // *unsigned long: what the adapter can do
	i2cRdwr    = 0x707 // *i2c_rdwr_ioctl_data

	funcI2C = 0x1  // plain transfers, in contrast to SMBus alone
	msgRead = 0x01 // I2C_M_RD

	maxMessage = 8192 // the longest message that i2c-dev takes
	timeout    = 50   // half a second; some adapters have a longer one built in
	retries    = 1
)

// An i2cMsg is a struct i2c_msg. Its pointer is one for Go too, so that the buffer is kept.
type i2cMsg struct {
	addr, flags, length uint16
	buf                 unsafe.Pointer
}

// A rdwrData is a struct i2c_rdwr_ioctl_data.
type rdwrData struct {
	msgs  unsafe.Pointer
	nmsgs uint32
}

// A kernel is how a bus calls the kernel.
type kernel struct {
	ioctl func(fd int, request uintptr, arg unsafe.Pointer) syscall.Errno
	set   func(fd int, request uintptr, value uintptr) syscall.Errno // an ioctl that takes a number
	close func(fd int) error
}

// linux returns the real one.
func linux() kernel {
	return kernel{
		ioctl: func(fd int, request uintptr, arg unsafe.Pointer) syscall.Errno {
			_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
			return errno
		},
		set: func(fd int, request uintptr, value uintptr) syscall.Errno {
			_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, value)
			return errno
		},
		close: syscall.Close,
	}
}

// An i2cBus is an open i2c-dev device file.
type i2cBus struct {
	name   string
	sys    string
	kernel kernel
	log    *slog.Logger

	mu    sync.Mutex // held during a transfer, so that Close cannot give the number away
	fd    int        // -1 once closed
	lost  bool
	hang  hang
	free  [128]bool // addresses that no kernel driver was using
	msgs  [2]i2cMsg
	batch rdwrData
}

var _ i2c.BusCloser = (*i2cBus)(nil)

func openI2C(name, sys string, log *slog.Logger) (*i2cBus, error) {
	fd, err := syscall.Open(name, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, devfile.Explain("I2C bus", name, name, os.NewSyscallError("open", err),
			board.Here().EnableI2C(), I2CBuses())
	}
	b, err := newI2C(name, sys, fd, linux(), log)
	if err != nil {
		return nil, errors.Join(err, syscall.Close(fd))
	}
	return b, nil
}

// newI2C makes a bus of a file that is open. Unless it fails, the file is the bus's.
func newI2C(name, sys string, fd int, k kernel, log *slog.Logger) (*i2cBus, error) {
	b := &i2cBus{name: name, sys: sys, kernel: k, log: log, fd: fd}
	var funcs uintptr // an unsigned long has the size of a pointer
	if errno := k.ioctl(fd, i2cFuncs, unsafe.Pointer(&funcs)); errno != 0 {
		return nil, fmt.Errorf("%s is not an I2C bus: %w", name, os.NewSyscallError("I2C_FUNCS", errno))
	}
	if funcs&funcI2C == 0 {
		return nil, fmt.Errorf("%s can do SMBus commands only, not I2C transfers: sensors need another bus", name)
	}
	// Linux refuses numbers out of range only; whether the adapter heeds them is its driver's
	// affair.
	if errno := k.set(fd, i2cTimeout, timeout); errno != 0 {
		return nil, fmt.Errorf("%s: %w", name, os.NewSyscallError("I2C_TIMEOUT", errno))
	}
	if errno := k.set(fd, i2cRetries, retries); errno != 0 {
		return nil, fmt.Errorf("%s: %w", name, os.NewSyscallError("I2C_RETRIES", errno))
	}
	return b, nil
}

func (b *i2cBus) String() string { return b.name }

// SetSpeed refuses: on Linux the speed belongs to the machine's configuration, and to all devices
// of the bus.
func (b *i2cBus) SetSpeed(physic.Frequency) error {
	return fmt.Errorf("%s: the speed of a bus is not set by programs; %s", b.name, board.Here().I2CSpeed())
}

// Tx writes w to the device at addr, then reads r from it without giving up the bus in between. One
// of them may be empty; where both are, nothing happens. Transfers are made one at a time.
func (b *i2cBus) Tx(addr uint16, w, r []byte) error {
	if addr >= uint16(len(b.free)) {
		return fmt.Errorf("%s: 0x%02x is not a 7-bit address", b.name, addr)
	}
	if len(w) > maxMessage || len(r) > maxMessage {
		return fmt.Errorf("%s: address 0x%02x: %d bytes out, %d in, and %d is the most that the kernel takes", b.name, addr, len(w), len(r), maxMessage)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.lost:
		return &loss{b.name + " was unplugged", nil}
	case b.fd < 0:
		return fmt.Errorf("%s: %w", b.name, os.ErrClosed)
	case b.removed():
		b.lost = true
		return &loss{b.name + " was unplugged", b.shut()}
	}
	if err := b.claim(addr); err != nil {
		return err
	}
	n := 0
	if len(w) > 0 {
		b.msgs[n] = i2cMsg{addr: addr, length: uint16(len(w)), buf: unsafe.Pointer(unsafe.SliceData(w))}
		n++
	}
	if len(r) > 0 {
		b.msgs[n] = i2cMsg{addr: addr, flags: msgRead, length: uint16(len(r)), buf: unsafe.Pointer(unsafe.SliceData(r))}
		n++
	}
	if n == 0 {
		return nil
	}
	if left := b.hang.refuses(time.Now()); left > 0 {
		b.msgs = [2]i2cMsg{}
		return hangs(b.name, left)
	}
	b.batch = rdwrData{msgs: unsafe.Pointer(&b.msgs), nmsgs: uint32(n)}
	errno := b.kernel.ioctl(b.fd, i2cRdwr, unsafe.Pointer(&b.batch))
	b.msgs = [2]i2cMsg{} // the buffers are the caller's again
	b.watch(addr, errno)
	if errno == 0 {
		return nil
	}
	if b.gone(errno) {
		b.lost = true
		err := os.NewSyscallError("I2C_RDWR", errno)
		return &loss{fmt.Sprintf("%s was unplugged: %v", b.name, err), errors.Join(err, b.shut())}
	}
	if b.hang.wait > 0 {
		return hangs(b.name, b.hang.wait)
	}
	return fmt.Errorf("%s: address 0x%02x: %s: %w", b.name, addr, meaning(errno), os.NewSyscallError("I2C_RDWR", errno))
}

// watch logs once when the bus begins and ceases to hang, which all sensors on it notice.
func (b *i2cBus) watch(addr uint16, errno syscall.Errno) {
	now := time.Now()
	switch began, ended := b.hang.note(addr, errno, now); {
	case began:
		b.log.Warn("I2C bus hangs: nothing on it can be read", "bus", b.name, "err", held)
	case ended:
		b.log.Info("I2C bus answers again", "bus", b.name, "after", now.Sub(b.hang.since).Round(time.Second))
	}
}

// Close closes the device file, after a transfer that is under way. A second call does nothing.
func (b *i2cBus) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.shut()
}

func (b *i2cBus) shut() error {
	if b.fd < 0 {
		return nil
	}
	fd := b.fd
	b.fd = -1
	return os.NewSyscallError("close", b.kernel.close(fd))
}

func (b *i2cBus) isLost() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lost
}

// claim returns an error when a kernel driver is using the address.
func (b *i2cBus) claim(addr uint16) error {
	if b.free[addr] {
		return nil
	}
	number := i2cNumber(b.name)
	if owner, through := kernelOwner(b.sys, number, addr); owner != "" {
		return fmt.Errorf("%s: the device at 0x%02x is used by the kernel driver %s, and two would disturb each other: %s, or remove that driver (%s)", b.name, addr, owner, through, board.Here().Overlay())
	}
	b.free[addr] = true
	return nil
}

// i2cNumber returns N of /dev/i2c-N.
func i2cNumber(name string) string { return strings.TrimPrefix(filepath.Base(realName(name)), "i2c-") }

// kernelOwner returns which kernel driver is using an address, "" if none is, and how to read the
// device through it.
func kernelOwner(sys, number string, addr uint16) (owner, through string) {
	device := filepath.Join(sys, "bus/i2c/devices", fmt.Sprintf("%s-%04x", number, addr))
	link, err := os.Readlink(filepath.Join(device, "driver"))
	if err != nil {
		return "", ""
	}
	through = "read it through the kernel"
	for pattern, driver := range map[string]string{"hwmon/hwmon*": "hwmon", "iio:device*": "iio"} {
		if found, _ := filepath.Glob(filepath.Join(device, pattern)); len(found) > 0 {
			through = fmt.Sprintf(`use driver = "%s"`, driver)
		}
	}
	return filepath.Base(link), through
}

// removed reports whether the device file has been deleted. The kernel deletes it when the adapter
// goes (its driver unbound, an overlay removed), and then waits until no program has it open; until
// then transfers may even succeed.
func (b *i2cBus) removed() bool {
	var st syscall.Stat_t
	return syscall.Fstat(b.fd, &st) == nil && st.Nlink == 0
}

// gone reports whether an error means that the adapter is not there any more.
func (b *i2cBus) gone(errno syscall.Errno) bool {
	switch errno {
	case syscall.ENODEV, syscall.ESHUTDOWN:
		return true
	case syscall.EIO:
		// what a USB adapter answers to a transfer that failed, and to every one after it was
		// unplugged
		_, err := os.Stat(b.name)
		return os.IsNotExist(err)
	}
	return false
}

// meaning says what an error of a transfer means on the wire.
func meaning(errno syscall.Errno) string {
	switch errno {
	case syscall.ENXIO, syscall.EREMOTEIO:
		return "no answer (is it wired, powered, and is this its address?)"
	case syscall.ETIMEDOUT:
		return "the bus hangs: " + held
	case syscall.EAGAIN:
		return "the bus was taken by another master"
	case syscall.EIO:
		return "the transfer was disturbed"
	}
	return "the transfer failed"
}

package bus

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/fieldgate/fieldgate/drivers"
)

// Flags of struct serial_rs485 in linux/serial.h.
const (
	rs485Enabled      = 1 << 0
	rs485RTSOnSend    = 1 << 1 // high while sending
	rs485RTSAfterSend = 1 << 2 // high otherwise
)

// A serialRS485 is a struct serial_rs485. Delays are in milliseconds.
type serialRS485 struct {
	flags, before, after uint32
	_                    [5]uint32
}

// setRS485 has the kernel switch the transceiver of an open port.
func setRS485(fd int, mode drivers.RS485) error {
	s := serialRS485{flags: rs485Enabled | rs485RTSOnSend, before: uint32(mode.Before / time.Millisecond), after: uint32(mode.After / time.Millisecond)}
	if mode.LowSend {
		s.flags = rs485Enabled | rs485RTSAfterSend
	}
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), unix.TIOCSRS485, uintptr(unsafe.Pointer(&s)))
	if errno == 0 {
		return nil
	}
	err := os.NewSyscallError("TIOCSRS485", errno)
	if errors.Is(errno, syscall.ENOTTY) || errors.Is(errno, syscall.EINVAL) {
		return fmt.Errorf("the kernel's driver of this port cannot switch an RS-485 transceiver: leave rs485 out where the adapter switches by itself, "+
			"as nearly all USB adapters do; otherwise use a port whose driver can, such as a UART of the board: %w", err)
	}
	return err
}

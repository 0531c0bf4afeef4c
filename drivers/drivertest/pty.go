package drivertest

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Pty opens a pseudo-terminal and returns the device's end, and the name of the port. Closing the
// file unplugs the port. It is closed with the test at the latest.
func Pty(t testing.TB) (device *os.File, port string) {
	t.Helper()
	device, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	t.Cleanup(func() { device.Close() })
	raw, err := device.SyscallConn() // Fd would make reads that Close does not end
	if err != nil {
		t.Fatal(err)
	}
	number := 0
	var unlockErr, numberErr error
	err = raw.Control(func(fd uintptr) {
		unlockErr = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0)
		number, numberErr = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
	})
	if err := errors.Join(err, unlockErr, numberErr); err != nil {
		t.Fatal(err)
	}
	return device, fmt.Sprintf("/dev/pts/%d", number)
}

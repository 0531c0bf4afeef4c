package devfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestPermissionNamesTheRemedy(t *testing.T) {
	if err := Explain("I2C bus", "i2c:1", "/dev/null", syscall.EACCES, "", nil); !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), "/60-fieldgate.rules") {
		t.Errorf("got %v", err)
	}
	if err := Explain("I2C bus", "i2c:1", "/dev/null", syscall.EPERM, "", nil); !errors.Is(err, syscall.EPERM) || !strings.Contains(err.Error(), "unit does not allow this device") {
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

// A program that plays the device on a pseudo-terminal has both of its ends open, as socat does.
func TestWhoPlaysTheDeviceIsNotInItsWay(t *testing.T) {
	proc := t.TempDir()
	process := func(pid string, files ...string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(proc, pid, "fd"), 0o755); err != nil {
			t.Fatal(err)
		}
		for i, file := range files {
			if err := os.Symlink(file, filepath.Join(proc, pid, "fd", strconv.Itoa(i+3))); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(proc, pid, "comm"), []byte("p"+pid+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	process("11", "/dev/pts/7", "/dev/ptmx")
	process("12", "/dev/pts/7")
	process("13", "/dev/ttyUSB0", "/dev/ptmx")
	if got := holders(proc, "/dev/pts/7"); fmt.Sprint(got) != "[process 12 (p12)]" {
		t.Errorf("of the pseudo-terminal: %v", got)
	}
	if got := holders(proc, "/dev/ttyUSB0"); fmt.Sprint(got) != "[process 13 (p13)]" {
		t.Errorf("of a real port: %v", got)
	}
}

package terminal

import (
	"bufio"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSecretIsHiddenWhenAsked: whoever answers as soon as the question is there sees nothing of it
// either, and afterwards the terminal is as it was.
func TestSecretIsHiddenWhenAsked(t *testing.T) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer master.Close()
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	term := &Terminal{file: f, in: bufio.NewReader(f)}
	defer term.Close()
	echoes := func() (on bool) {
		if err := term.control(func(fd int) error {
			m, err := unix.IoctlGetTermios(fd, unix.TCGETS)
			if err == nil {
				on = m.Lflag&unix.ECHO != 0
			}
			return err
		}); err != nil {
			t.Error(err)
		}
		return on
	}
	asked := false
	line, err := term.ReadSecret(t.Context(), func() {
		asked = true
		if echoes() {
			t.Error("what is typed is shown when the question is there")
		}
		if _, err := master.WriteString("hunter2\n"); err != nil {
			t.Error(err)
		}
	})
	if err != nil || line != "hunter2" || !asked {
		t.Errorf("%q, %v, asked: %v", line, err, asked)
	}
	if !echoes() {
		t.Error("what is typed is not shown any more")
	}
}

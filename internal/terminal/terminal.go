// Package terminal is a person's terminal: lines, passwords without echo, keys, its size, text that
// fits into it. Reading ends with a context, and leaves the terminal as it was.
package terminal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Terminal is opened by Open. One goroutine at a time reads from it.
type Terminal struct {
	file *os.File
	in   *bufio.Reader
}

// Open opens the terminal of this process once more: what is set here, such as that reads can be
// ended, is not set for the shell that has it open as well.
func Open() (*Terminal, error) {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		f, err = os.OpenFile("/proc/self/fd/0", os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the terminal: %w", err)
	}
	t := &Terminal{file: f, in: bufio.NewReader(f)}
	if err := f.SetReadDeadline(time.Time{}); err != nil {
		return nil, errors.Join(fmt.Errorf("the terminal cannot be read with a limit: %w", err), f.Close())
	}
	return t, nil
}

// Close closes it.
func (t *Terminal) Close() error { return t.file.Close() }

// control calls f with the file's descriptor, which stays in the hands of the runtime.
func (t *Terminal) control(f func(fd int) error) error {
	raw, err := t.file.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	return errors.Join(raw.Control(func(fd uintptr) { inner = f(int(fd)) }), inner)
}

// until makes reads end with ctx.
func (t *Terminal) until(ctx context.Context) (stop func()) {
	ended := context.AfterFunc(ctx, func() { _ = t.file.SetReadDeadline(time.Unix(1, 0)) })
	return func() { ended() }
}

// ReadLine returns the next line without its end, or io.EOF if the person has ended the input.
func (t *Terminal) ReadLine(ctx context.Context) (string, error) {
	defer t.until(ctx)()
	line, err := t.in.ReadString('\n')
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil && !errors.Is(err, io.EOF):
		return "", fmt.Errorf("reading from the terminal: %w", err)
	case err != nil:
		return "", io.EOF
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// ReadSecret is ReadLine without showing what is typed. ask asks for it, when nothing is shown any
// more: somebody may answer at once.
func (t *Terminal) ReadSecret(ctx context.Context, ask func()) (string, error) {
	restore, err := t.set(func(m *unix.Termios) { m.Lflag = m.Lflag&^unix.ECHO | unix.ECHONL })
	if err != nil {
		return "", err
	}
	ask()
	line, err := t.ReadLine(ctx)
	return line, errors.Join(err, restore())
}

// Keys lets keys be read one by one and unseen until restore is called. Ctrl-C still interrupts;
// Ctrl-Z is a key.
func (t *Terminal) Keys() (restore func() error, err error) {
	return t.set(func(m *unix.Termios) {
		m.Lflag &^= unix.ECHO | unix.ICANON
		m.Cc[unix.VMIN], m.Cc[unix.VTIME], m.Cc[unix.VSUSP] = 1, 0, 0
	})
}

// ReadKey returns the next byte that is typed.
func (t *Terminal) ReadKey(ctx context.Context) (byte, error) {
	defer t.until(ctx)()
	b, err := t.in.ReadByte()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return b, err
}

// set changes the terminal's settings until restore is called.
func (t *Terminal) set(change func(*unix.Termios)) (restore func() error, err error) {
	var before unix.Termios
	err = t.control(func(fd int) error {
		m, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err != nil {
			return err
		}
		before = *m
		change(m)
		return unix.IoctlSetTermios(fd, unix.TCSETS, m)
	})
	if err != nil {
		return nil, fmt.Errorf("setting the terminal: %w", err)
	}
	return func() error {
		return t.control(func(fd int) error { return unix.IoctlSetTermios(fd, unix.TCSETS, &before) })
	}, nil
}

// Width and height that are assumed if the terminal does not say them.
const (
	usualWidth  = 80
	usualHeight = 24
)

// Size returns its columns and rows.
func (t *Terminal) Size() (width, height int) {
	width, height = usualWidth, usualHeight
	_ = t.control(func(fd int) error {
		size, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
		if err == nil && size.Col > 0 && size.Row > 0 {
			width, height = int(size.Col), int(size.Row)
		}
		return err
	})
	return width, height
}

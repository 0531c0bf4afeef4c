package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fieldgate/fieldgate/drivers/drivertest"
)

// A seat is a program at a real terminal with a person before it.
type seat struct {
	t      *testing.T
	master *os.File
	slave  *os.File
	shown  *syncBuffer
	seen   int // bytes of shown that were waited for
	cmd    *exec.Cmd
	ended  chan error
	before unix.Termios
}

// sit starts the program under test at a terminal of so many columns.
func sit(t *testing.T, columns uint16, env []string, args ...string) *seat {
	t.Helper()
	master, name := drivertest.Pty(t)
	slave, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	s := &seat{t: t, master: master, slave: slave, shown: new(syncBuffer), ended: make(chan error, 1)}
	s.resize(columns, 24)
	s.before = s.settings()
	read := make(chan struct{})
	go func() {
		defer close(read)
		b := make([]byte, 4096)
		for {
			n, err := master.Read(b)
			_, _ = s.shown.Write(b[:n])
			if err != nil {
				return
			}
		}
	}()
	s.cmd = exec.Command(needBinary(t), args...)
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = slave, slave, slave
	s.cmd.Env = append(append(os.Environ(), "TERM=xterm"), env...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.ended <- s.cmd.Wait() }()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		master.Close()
		<-read
		if t.Failed() {
			t.Logf("the terminal:\n%s", s.shown)
		}
	})
	return s
}

func (s *seat) control(f func(fd int) error) {
	s.t.Helper()
	raw, err := s.slave.SyscallConn()
	if err != nil {
		s.t.Fatal(err)
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil || inner != nil {
		s.t.Fatal(err, inner)
	}
}

func (s *seat) resize(columns, rows uint16) {
	s.t.Helper()
	s.control(func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: rows})
	})
}

func (s *seat) settings() (m unix.Termios) {
	s.t.Helper()
	s.control(func(fd int) error {
		p, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err == nil {
			m = *p
		}
		return err
	})
	return m
}

var controlSequence = regexp.MustCompile(`\x1b\[[0-9;?]*[a-zA-Z]`)

// text is what was shown, without what moves the cursor.
func (s *seat) text() string {
	return strings.ReplaceAll(controlSequence.ReplaceAllString(s.shown.String(), ""), "\r", "")
}

// expect waits for a text that was not waited for yet.
func (s *seat) expect(want string) {
	s.t.Helper()
	eventually(s.t, 20*time.Second, "the terminal shows "+want, func() bool {
		text := s.text()
		i := strings.Index(text[min(s.seen, len(text)):], want)
		if i >= 0 {
			s.seen += i + len(want)
		}
		return i >= 0
	})
}

func (s *seat) types(keys string) {
	s.t.Helper()
	if _, err := s.master.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// answer waits for a question and answers it.
func (s *seat) answer(question, line string) {
	s.t.Helper()
	s.expect(question)
	s.types(line + "\n")
}

// leaves waits for the end of the program, and checks that the terminal is as it was.
func (s *seat) leaves(code int) {
	s.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(20 * time.Second):
		s.t.Fatal("the program does not end")
	}
	if got := s.cmd.ProcessState.ExitCode(); got != code {
		s.t.Errorf("exit code %d, want %d", got, code)
	}
	if after := s.settings(); after != s.before {
		s.t.Errorf("the terminal was\n%+v and is\n%+v", s.before, after)
	}
}

package main

import (
	endian "encoding/binary"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSignalsDuringTheStart: an orderly end at any moment. The moments are what the program does in
// its directory, from before its first step on until it answers: each round ends it one step later.
func TestSignalsDuringTheStart(t *testing.T) {
	g := newGateway(t, "mqtt://127.0.0.1:1", waveSensor)
	g.running() // a store that has run before
	g.stop()
	for after := 0; ; after++ {
		w := watch(t, g.dir)
		g.start()
		reached := w.wait(after, func() bool { _, err := g.ask(); return err == nil })
		w.close()
		if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		state, err := g.cmd.Process.Wait()
		g.cmd = nil
		if err != nil {
			t.Fatal(err)
		}
		// Before the program listens for signals the kernel ends it: 143 as a shell reports it.
		if ws := state.Sys().(syscall.WaitStatus); !(ws.Exited() && ws.ExitStatus() == exitDone || ws.Signaled() && ws.Signal() == syscall.SIGTERM && after == 0) {
			t.Errorf("SIGTERM after %d steps: %v\n%s", after, state, g.log)
		}
		if !reached {
			t.Logf("the start has less than %d steps", after)
			if after < 10 {
				t.Error("too few to call it a test")
			}
			return
		}
	}
}

// A watcher sees what happens to the files of a directory.
type watcher struct {
	t    *testing.T
	file *os.File
}

func watch(t *testing.T, dir string) *watcher {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err == nil {
		_, err = unix.InotifyAddWatch(fd, dir, unix.IN_OPEN|unix.IN_CREATE|unix.IN_MODIFY|unix.IN_DELETE|unix.IN_MOVED_TO)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &watcher{t, os.NewFile(uintptr(fd), "inotify")}
}

// wait waits for n things to happen; false: it was so far before, and nothing more happens.
func (w *watcher) wait(n int, far func() bool) bool {
	w.t.Helper()
	limit := time.Now().Add(20 * time.Second)
	buf := make([]byte, 16+unix.NAME_MAX+1) // the next one at least; a few at most
	for n > 0 {
		if err := w.file.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			w.t.Fatal(err)
		}
		size, err := w.file.Read(buf)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && far():
			return false
		case errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(limit):
		case err != nil:
			w.t.Fatalf("%d steps to go: %v", n, err)
		}
		for at := 0; at+16 <= size; n-- {
			at += 16 + int(endian.NativeEndian.Uint32(buf[at+12:]))
		}
	}
	return true
}

func (w *watcher) close() {
	if err := w.file.Close(); err != nil {
		w.t.Error(err)
	}
}

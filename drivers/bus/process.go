package bus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

const (
	stopTime     = time.Second // from SIGTERM to SIGKILL, and for the outputs to be closed after the end
	maxOutput    = 64 << 10    // bytes kept of what was printed and not read, the newest
	maxRate      = 1 << 20     // bytes a second that a program may print for long
	maxComplaint = 200         // bytes kept of what came last on standard error
)

// A process is one run of a program, with this one's user and environment, without a shell, in a
// process group of its own, which is killed when it ends. Its output is always taken, so that a
// program that is rarely read does not stand still with old lines.
type process struct {
	command *exec.Cmd
	in      *os.File
	out     output
	said    tail
	ended   chan struct{}
	err     error // how it ended, after ended
}

func startProcess(argv []string) (*process, error) {
	r := &process{command: exec.Command(argv[0], argv[1:]...), ended: make(chan struct{})}
	r.out.more = make(chan struct{}, 1)
	theirs, ours, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	r.in = ours
	c := r.command
	c.Stdin, c.Stdout, c.Stderr, c.WaitDelay = theirs, &r.out, &r.said, stopTime
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := errors.Join(c.Start(), theirs.Close()); err != nil {
		return nil, errors.Join(err, ours.Close())
	}
	go r.await()
	return r, nil
}

// await waits for the end of the process and kills what it has left behind.
func (r *process) await() {
	r.err = r.command.Wait()
	if errors.Is(r.err, exec.ErrWaitDelay) { // what it started holds its outputs open
		r.err = nil
	}
	r.signal(syscall.SIGKILL)
	_ = r.in.Close() // its reader is gone
	r.out.end(r.err == nil)
	close(r.ended)
}

// signal reaches the process and all that it has started, unless they have left its group.
func (r *process) signal(s syscall.Signal) {
	_ = syscall.Kill(-r.command.Process.Pid, s) // they may be gone already
}

// stop ends the process and waits for it.
func (r *process) stop() {
	r.signal(syscall.SIGTERM)
	timer := time.NewTimer(stopTime)
	defer timer.Stop()
	select {
	case <-r.ended:
	case <-timer.C:
		r.signal(syscall.SIGKILL)
		<-r.ended
	}
}

func (r *process) hasEnded() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

// verdict returns what is wrong with how the process has ended.
func (r *process) verdict() error {
	switch {
	case r.err != nil:
		return fmt.Errorf("%w%s%s", r.err, r.said.reason(), adviceOnScript(r.command.Path, r.command.ProcessState.ExitCode()))
	case !r.out.wasUsed():
		return fmt.Errorf("it printed nothing to its standard output and ended with 0%s", r.said.reason())
	}
	return nil
}

// An output is what a process has printed and nobody has read.
type output struct {
	more chan struct{} // something was printed, or it is the end
	due  time.Time     // when what was printed would have come at maxRate

	mu    sync.Mutex
	text  []byte
	last  byte  // that was printed
	total int64 // bytes that were printed
	done  bool
}

// Write keeps b, and of what is too much the newest whole lines.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	o.text = append(o.text, b...)
	if surplus := len(o.text) - maxOutput; surplus > 0 {
		line := bytes.IndexByte(o.text[surplus:], '\n')
		if line < 0 {
			line = maxOutput - 1
		}
		o.text = o.text[:copy(o.text, o.text[surplus+line+1:])]
	}
	if len(b) > 0 {
		o.total, o.last = o.total+int64(len(b)), b[len(b)-1]
	}
	o.mu.Unlock()
	o.wake()
	o.slow(len(b))
	return len(b), nil
}

// slow waits if more is printed than maxRate over a second: what never stops would need a processor
// to be thrown away.
func (o *output) slow(n int) {
	now := time.Now()
	if o.due.Before(now.Add(-time.Second)) {
		o.due = now.Add(-time.Second)
	}
	o.due = o.due.Add(time.Duration(n) * time.Second / maxRate)
	time.Sleep(o.due.Sub(now))
}

// end is the end of what is printed. If it ended well, that is the end of a line.
func (o *output) end(well bool) {
	o.mu.Lock()
	if well && o.total > 0 && o.last != '\n' {
		o.text = append(o.text, '\n')
	}
	o.done = true
	o.mu.Unlock()
	o.wake()
}

func (o *output) wasUsed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.total > 0
}

func (o *output) wake() {
	select {
	case o.more <- struct{}{}:
	default:
	}
}

// read returns at least one byte, os.ErrDeadlineExceeded after the time, io.EOF after the last byte
// of a process that has ended, or os.ErrClosed after quit.
func (o *output) read(b []byte, within time.Duration, quit <-chan struct{}) (int, error) {
	timer := time.NewTimer(max(within, 0))
	defer timer.Stop()
	for {
		n, done := o.take(b)
		switch {
		case n > 0 || len(b) == 0:
			return n, nil
		case done:
			return 0, io.EOF
		}
		select {
		case <-o.more:
		case <-quit:
			return 0, os.ErrClosed
		case <-timer.C:
			return 0, os.ErrDeadlineExceeded
		}
	}
}

func (o *output) take(b []byte) (n int, done bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n = copy(b, o.text)
	o.text = o.text[:copy(o.text, o.text[n:])]
	return n, o.done
}

// A tail keeps the last bytes of an output.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b[max(len(b)-maxComplaint, 0):]...)
	t.text = t.text[max(len(t.text)-maxComplaint, 0):]
	return len(b), nil
}

// last returns the last line.
func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := bytes.TrimSpace(t.text)
	return string(text[bytes.LastIndexByte(text, '\n')+1:])
}

// reason returns the last line, to be put behind a sentence.
func (t *tail) reason() string {
	if line := t.last(); line != "" {
		return fmt.Sprintf(": it says %q", line)
	}
	return ""
}

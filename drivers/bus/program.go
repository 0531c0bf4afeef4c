package bus

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

const startEvery = time.Second // a program is not started more often

// A program is a stream of what a program prints; what is written goes to its standard input.
//
// What a run prints begins a line, and its end ends one: if it ends with 0 without a line end, that
// is added. So a run is never taken for the continuation of the one before; see Runs.
//
// A program that runs on is read as a serial port is. One that ends with 0 is started again for
// what is read next: by a Read that does not wait, with which drivers drop what is old, or by one
// that finds all of its output read. One that ends otherwise, or without a byte, is a loss. Close
// may be called at any time; the rest is for one caller at a time.
type program struct {
	name        string
	argv        []string
	readTimeout time.Duration
	started     time.Time
	runs        int // how often it was started
	quit        chan struct{}

	mu     sync.Mutex
	closed bool
	run    *process // the last one
}

func startProgram(name string, argv []string) (*program, error) {
	p := &program{name: name, argv: argv, readTimeout: readTimeout, quit: make(chan struct{})}
	return p, p.start()
}

// start starts the program in place of the last process, which has ended.
func (p *program) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return os.ErrClosed
	}
	r, err := startProcess(p.argv)
	if err != nil {
		return fmt.Errorf("%s could not be started: %w", p.name, explainStart(p.argv[0], err))
	}
	p.run, p.started = r, time.Now()
	p.runs++
	return nil
}

// SetReadTimeout bounds the Reads that follow; with 0 they return what has already been printed.
func (p *program) SetReadTimeout(d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("%s: read timeout %v is negative", p.name, d)
	}
	p.readTimeout = d
	return nil
}

// Read returns at least one byte, or os.ErrDeadlineExceeded after the read timeout.
func (p *program) Read(b []byte) (int, error) {
	if p.readTimeout == 0 && p.run.hasEnded() {
		if err := p.again(0); err != nil {
			return 0, err
		}
	}
	for deadline := time.Now().Add(p.readTimeout); ; {
		n, err := p.run.out.read(b, time.Until(deadline), p.quit)
		if err == nil || !errors.Is(err, io.EOF) {
			return n, p.failed(err)
		}
		if err := p.again(time.Until(deadline)); err != nil {
			return 0, err
		}
	}
}

// again starts the program once more after it has ended well, or returns os.ErrDeadlineExceeded if
// it may not be started within the time.
func (p *program) again(within time.Duration) error {
	if !p.run.hasEnded() && !p.pause(p.run.ended, within) {
		return os.ErrDeadlineExceeded
	}
	if err := p.run.verdict(); err != nil {
		return p.failed(err)
	}
	wait := time.Until(p.started.Add(startEvery))
	if p.pause(nil, min(wait, within)); wait > max(within, 0) {
		return os.ErrDeadlineExceeded
	}
	return p.failed(p.start())
}

// pause waits until something has ended, and reports whether it has within the time.
func (p *program) pause(ended <-chan struct{}, within time.Duration) bool {
	timer := time.NewTimer(max(within, 0))
	defer timer.Stop()
	select {
	case <-ended:
		return true
	case <-p.quit:
	case <-timer.C:
	}
	return false
}

// Write hands b to the standard input of the program.
func (p *program) Write(b []byte) (int, error) {
	err := p.run.in.SetWriteDeadline(time.Now().Add(writeTimeout))
	n := 0
	if err == nil {
		n, err = p.run.in.Write(b)
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, fmt.Errorf("the program %s does not read its standard input, to which the sensor writes: %w", p.name, os.ErrDeadlineExceeded)
	case errors.Is(err, syscall.EPIPE) && !p.run.hasEnded():
		err = fmt.Errorf("it has closed its standard input, to which the sensor writes: %w", err)
	}
	return n, p.failed(err)
}

// Close ends the program and what it has started. A second call does nothing.
func (p *program) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	close(p.quit)
	if p.run != nil {
		p.run.stop()
	}
	return nil
}

func (p *program) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// failed returns an error with the program's name. All but a timeout mean that it is gone.
func (p *program) failed(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return os.ErrDeadlineExceeded
	case p.isClosed():
		return fmt.Errorf("%s: %w", p.name, os.ErrClosed)
	}
	return &loss{fmt.Sprintf("the program %s: %v", p.name, err), errors.Join(err, p.Close())}
}

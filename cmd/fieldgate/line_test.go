package main

import (
	"net"
	"sync"
	"testing"
	"time"
)

// A delayLine carries connections to an address, everything late by the same time in either
// direction, and counts what they cost.
type delayLine struct {
	listener net.Listener
	to       string
	delay    time.Duration
	done     sync.WaitGroup

	mu   sync.Mutex
	cost lineCost // of connections that have ended, and the bytes of all
	open map[net.Conn]time.Time
}

// lineCost is what connections have cost: bytes up and down, and how long they were there.
type lineCost struct {
	bytes       int
	connected   time.Duration
	connections int // begun
}

func newDelayLine(t testing.TB, to string, delay time.Duration) *delayLine {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &delayLine{listener: l, to: to, delay: delay, open: map[net.Conn]time.Time{}}
	d.done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", d.to)
			if err != nil {
				c.Close()
				continue
			}
			d.mu.Lock()
			d.cost.connections++
			d.open[c] = time.Now()
			d.mu.Unlock()
			d.done.Go(func() { d.carry(c, far); d.ended(c) })
			d.done.Go(func() { d.carry(far, c) })
		}
	})
	t.Cleanup(func() { l.Close(); d.done.Wait() })
	return d
}

func (d *delayLine) url() string { return "mqtt://" + d.listener.Addr().String() }

// used returns what all connections have cost so far.
func (d *delayLine) used() lineCost {
	d.mu.Lock()
	defer d.mu.Unlock()
	cost := d.cost
	for _, began := range d.open {
		cost.connected += time.Since(began)
	}
	return cost
}

func (d *delayLine) ended(c net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cost.connected += time.Since(d.open[c])
	delete(d.open, c)
}

// carry copies one direction until either end closes.
func (d *delayLine) carry(from, to net.Conn) {
	type chunk struct {
		at   time.Time
		data []byte
	}
	chunks := make(chan chunk, 10_000)
	go func() {
		defer close(chunks)
		for {
			b := make([]byte, 64<<10)
			n, err := from.Read(b)
			if n > 0 {
				d.mu.Lock()
				d.cost.bytes += n
				d.mu.Unlock()
				chunks <- chunk{time.Now().Add(d.delay), b[:n:n]}
			}
			if err != nil {
				return
			}
		}
	}()
	for c := range chunks {
		time.Sleep(time.Until(c.at))
		if _, err := to.Write(c.data); err != nil {
			break
		}
	}
	from.Close()
	to.Close()
	for range chunks {
	}
}

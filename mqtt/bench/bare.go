package main

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// bareWrite is the most that the bare limit writes at once: what fills one TLS record.
const bareWrite = 16 << 10

// publishBare publishes frames that were made before. It does so in two ways, of which the faster
// one counts: one goroutine that writes and reads in turn, which saves all wake-ups, and one
// goroutine for each, which makes larger batches.
func publishBare(ctx context.Context, t target, length time.Duration) (best result, err error) {
	for _, publish := range []func(*bare) func(time.Time) error{(*bare).inTurn, (*bare).atOnce} {
		b, err := startBare(ctx, t, length)
		if err != nil {
			return result{}, err
		}
		r, err := measured(&b.acked, length, publish(b))
		b.nc.Close()
		if err != nil {
			return result{}, err
		}
		if r.perSecond > best.perSecond {
			best = r
		}
	}
	return best, nil
}

// A bare publisher is a connection, and frames for it.
type bare struct {
	nc     net.Conn
	window int
	frames []byte // count of them, each of the same size
	size   int
	count  int
	next   int
	sent   int64
	acked  atomic.Int64
	buf    [64 << 10]byte
	filled int
}

func startBare(ctx context.Context, t target, length time.Duration) (*bare, error) {
	nc, err := dial(ctx, t)
	if err != nil {
		return nil, err
	}
	// The identifiers come round after a multiple of the window: with answers in order, none is
	// used twice at a time.
	b := &bare{nc: nc, window: t.window, count: t.window * (4096/t.window + 1)}
	for i := range b.count {
		p := packet.Publish{QoS: 1, ID: uint16(i + 1), Topic: topic, Payload: make([]byte, *payload)}
		b.frames = p.Append(b.frames)
	}
	b.size = len(b.frames) / b.count
	if err := b.connect(length); err != nil {
		nc.Close()
		return nil, err
	}
	return b, nil
}

// connect introduces the publisher and checks that the target has the Receive Maximum that is
// measured.
func (b *bare) connect(length time.Duration) error {
	if err := b.nc.SetDeadline(time.Now().Add(length + time.Minute)); err != nil {
		return err
	}
	if _, err := b.nc.Write((&packet.Connect{CleanStart: true, ClientID: "bare"}).Append(nil)); err != nil {
		return err
	}
	n, err := b.nc.Read(b.buf[:])
	if err != nil {
		return err
	}
	h, size, err := packet.DecodeHeader(b.buf[:n])
	if err != nil {
		return err
	}
	var a packet.Connack
	if n != size+h.Length || h.Type != packet.CONNACK {
		return fmt.Errorf("% x instead of CONNACK", b.buf[:n])
	}
	if err := a.Decode(h, b.buf[size:n]); err != nil {
		return err
	}
	if got := int(a.Properties.ReceiveMaximum); got != b.window {
		return fmt.Errorf("the broker's Receive Maximum is %d, want %d", got, b.window)
	}
	return nil
}

// write writes what the window has room for.
func (b *bare) write() (n int, err error) {
	n = min(b.window-int(b.sent-b.acked.Load()), b.count-b.next, bareWrite/b.size)
	if n == 0 {
		return 0, nil
	}
	_, err = b.nc.Write(b.frames[b.next*b.size : (b.next+n)*b.size])
	b.sent += int64(n)
	b.next = (b.next + n) % b.count
	return n, err
}

// read reads acknowledgements, at least a part of one.
func (b *bare) read() error {
	m, err := b.nc.Read(b.buf[b.filled:])
	if err != nil {
		return err
	}
	n := int64(0)
	rest := b.buf[:b.filled+m]
	for len(rest) >= 2 && len(rest) >= 2+int(rest[1]) {
		if rest[0] != byte(packet.PUBACK)<<4 {
			return fmt.Errorf("% x instead of PUBACK", rest[0])
		}
		rest = rest[2+int(rest[1]):]
		n++
	}
	b.filled = copy(b.buf[:], rest)
	b.acked.Add(n)
	return nil
}

func (b *bare) inTurn() func(time.Time) error {
	return func(end time.Time) error {
		for time.Now().Before(end) {
			if _, err := b.write(); err != nil {
				return err
			}
			if err := b.read(); err != nil {
				return err
			}
		}
		return nil
	}
}

func (b *bare) atOnce() func(time.Time) error {
	answered := make(chan struct{}, 1)
	failed := make(chan error, 1)
	go func() { // until the connection is closed
		for {
			if err := b.read(); err != nil {
				failed <- err
				return
			}
			select {
			case answered <- struct{}{}:
			default:
			}
		}
	}()
	return func(end time.Time) error {
		for time.Now().Before(end) {
			n, err := b.write()
			if err != nil {
				return err
			}
			if n == 0 {
				select {
				case <-answered:
				case err := <-failed:
					return err
				}
			}
		}
		return nil
	}
}

package bus

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
)

// listen returns a server on the loopback interface and the connections that it gets.
func listen(t *testing.T) (address string, accepted <-chan net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skip("no loopback interface here: ", err)
	}
	conns := make(chan net.Conn, 8)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns <- c
		}
	}()
	t.Cleanup(func() { l.Close(); <-ended })
	return l.Addr().String(), conns
}

var shared = drivers.SerialMode{Shared: true}

func connect(t *testing.T, h *Host, address string) drivers.Port {
	t.Helper()
	p, err := h.Port(t.Context(), address, shared)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestConnectionIsSharedUntilLost(t *testing.T) {
	address, accepted := listen(t)
	h := newHost(t)
	a, b := connect(t, h, address), connect(t, h, address)
	peer := <-accepted
	if len(accepted) > 0 {
		t.Fatal("want one connection")
	}
	buf := make([]byte, 10)
	for _, p := range []drivers.Port{a, b} {
		if _, err := p.Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
		if n, err := peer.Read(buf); string(buf[:n]) != "ping" || err != nil {
			t.Errorf("the peer got %q, %v", buf[:n], err)
		}
	}
	for _, timeout := range []time.Duration{0, time.Millisecond} {
		if err := a.SetReadTimeout(timeout); err != nil {
			t.Fatal(err)
		}
		if n, err := a.Read(buf); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("timeout %v: want os.ErrDeadlineExceeded, got %d, %v", timeout, n, err)
		}
	}
	if _, err := peer.Write([]byte("pong")); err != nil {
		t.Fatal(err)
	}
	setTimeout(t, a, time.Minute)
	if n, err := a.Read(buf); string(buf[:n]) != "pong" || err != nil {
		t.Errorf("got %q, %v", buf[:n], err)
	}
	if err := peer.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Read(buf); !errors.Is(err, os.ErrClosed) || !strings.Contains(err.Error(), "the connection to "+address+" was lost") {
		t.Errorf("want os.ErrClosed, got %v", err)
	}
	if _, err := b.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("want os.ErrClosed, got %v", err)
	}
	closePort(t, a)
	a = connect(t, h, address)
	closePort(t, b)
	peer = <-accepted
	if _, err := a.Write([]byte("again")); err != nil {
		t.Fatal(err)
	}
	if n, err := peer.Read(buf); string(buf[:n]) != "again" || err != nil {
		t.Errorf("the peer got %q, %v", buf[:n], err)
	}
	closePort(t, a)
	if _, err := peer.Read(buf); err == nil {
		t.Error("want the connection closed with its last user")
	}
}

func TestNoConnection(t *testing.T) {
	address, _ := listen(t)
	h := newHost(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Port(ctx, address, shared); !errors.Is(err, context.Canceled) {
		t.Errorf("want context.Canceled, got %v", err)
	}
	if _, err := h.Port(t.Context(), "127.0.0.1:1", shared); err == nil || !strings.Contains(err.Error(), "no connection to 127.0.0.1:1: is the device on") {
		t.Errorf("got %v", err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Port(t.Context(), address, shared); !errors.Is(err, os.ErrClosed) {
		t.Errorf("want os.ErrClosed, got %v", err)
	}
}

package bus

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
)

func setTimeout(t *testing.T, p drivers.Port, d time.Duration) {
	t.Helper()
	if err := p.SetReadTimeout(d); err != nil {
		t.Fatal(err)
	}
}

// serve answers on a port of the loopback interface as handle does, one connection after the other,
// which it closes.
func serve(t *testing.T, handle func(n int, c net.Conn)) (address string) {
	t.Helper()
	address, accepted := listen(t)
	ended, quit := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for n := 0; ; n++ {
			select {
			case <-quit:
				return
			case c := <-accepted:
				handle(n, c)
				c.Close()
			}
		}
	}()
	t.Cleanup(func() { close(quit); <-ended })
	return address
}

// answer reads a request and writes its bytes back, each plus 1.
func answer(c net.Conn) {
	var b [16]byte
	n, err := c.Read(b[:])
	if err != nil {
		return
	}
	for i := range b[:n] {
		b[i]++
	}
	_, _ = c.Write(b[:n])
}

// ask is what a driver does: what is old is dropped, and an answer awaited.
func ask(p drivers.Port, request string) (string, error) {
	if err := p.SetReadTimeout(0); err != nil {
		return "", err
	}
	var b [16]byte
	if n, err := p.Read(b[:]); !errors.Is(err, os.ErrDeadlineExceeded) {
		return "", fmt.Errorf("before the request: %q, %w", b[:n], err)
	}
	if _, err := p.Write([]byte(request)); err != nil {
		return "", err
	}
	if err := p.SetReadTimeout(5 * time.Second); err != nil {
		return "", err
	}
	n, err := p.Read(b[:])
	return string(b[:n]), err
}

// Devices close connections as they like: between two answers, as soon as they are asked, or after
// a time in which nobody asked.
func TestEndedConnectionIsOpenedAgain(t *testing.T) {
	for name, handle := range map[string]func(n int, c net.Conn){
		"after each answer": func(_ int, c net.Conn) { answer(c) },
		"once before the answer": func(n int, c net.Conn) {
			for n != 0 {
				answer(c)
				return
			}
			_, _ = c.Read(make([]byte, 16))
		},
		"once by a reset": func(n int, c net.Conn) {
			if n > 0 {
				answer(c)
				return
			}
			_, _ = c.Read(make([]byte, 1)) // with something unread a close is a reset
		},
		"at once": func(n int, c net.Conn) {
			if n > 0 {
				answer(c)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := connect(t, newHost(t), serve(t, handle))
			for range 5 {
				if got, err := ask(p, "abc"); got != "bcd" || err != nil {
					t.Fatalf("got %q, %v", got, err)
				}
			}
		})
	}
}

// What is asked is sent once more at most: a device that closes each time is lost.
func TestRequestIsRepeatedOnce(t *testing.T) {
	requests := make(chan string, 8)
	p := connect(t, newHost(t), serve(t, func(_ int, c net.Conn) {
		var b [16]byte
		if n, err := c.Read(b[:]); err == nil {
			requests <- string(b[:n])
		}
	}))
	if _, err := ask(p, "abc"); !errors.Is(err, os.ErrClosed) || !strings.Contains(err.Error(), "was lost: read: EOF") {
		t.Errorf("got %v", err)
	}
	if n := len(requests); n != 2 {
		t.Errorf("the device was asked %d times", n)
	}
}

// Half an answer is not asked for again: the driver sees that it broke off.
func TestHalfAnAnswerIsALoss(t *testing.T) {
	p := connect(t, newHost(t), serve(t, func(_ int, c net.Conn) { answer(c) }))
	if got, err := ask(p, "abc"); got != "bcd" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	if _, err := p.Read(make([]byte, 8)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("want the loss, got %v", err)
	}
}

func TestHangUp(t *testing.T) {
	address, accepted := listen(t)
	p := connect(t, newHost(t), address)
	first := <-accepted
	if err := p.(interface{ HangUp() error }).HangUp(); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("want the connection ended, got %v", err)
	}
	go func() { answer(<-accepted) }()
	if got, err := ask(p, "x"); got != "y" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// A request that was given up is not sent again: neither after HangUp, nor because the connection
// ended before the next request.
func TestGivenUpRequestsAreNotSentAgain(t *testing.T) {
	for name, hangUp := range map[string]func(drivers.Port, net.Conn) error{
		"we":   func(p drivers.Port, _ net.Conn) error { return p.(interface{ HangUp() error }).HangUp() },
		"they": func(_ drivers.Port, c net.Conn) error { return c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			address, accepted := listen(t)
			p := connect(t, newHost(t), address)
			first := <-accepted
			setTimeout(t, p, time.Millisecond)
			if _, err := p.Write([]byte("old")); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(first, make([]byte, 3)); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("want no answer, got %v", err)
			}
			if err := hangUp(p, first); err != nil {
				t.Fatal(err)
			}
			go func() { answer(<-accepted) }()
			if got, err := ask(p, "new"); got != "ofx" || err != nil {
				t.Errorf("want the answer to the new request only, got %q, %v", got, err)
			}
		})
	}
}

func TestOwnConnections(t *testing.T) {
	address, accepted := listen(t)
	h := newHost(t)
	for range 2 {
		p, err := h.Port(t.Context(), address, drivers.SerialMode{})
		if err != nil {
			t.Fatal(err)
		}
		defer closePort(t, p)
	}
	if a, b := <-accepted, <-accepted; a.RemoteAddr().String() == b.RemoteAddr().String() {
		t.Error("want a connection each")
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if c, err := l.Accept(); err == nil {
			answer(c)
		}
	}()
	h := newHost(t)
	p, err := h.Port(t.Context(), "unix:"+path, drivers.SerialMode{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ask(p, "ab"); got != "bc" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	<-ended
	if _, err := h.Port(t.Context(), "unix:"+path+"x", drivers.SerialMode{}); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "does the service run") {
		t.Errorf("got %v", err)
	}
}

// A device that is deaf after connecting is left alone for the delay, each time.
func TestConnectDelay(t *testing.T) {
	const delay = 50 * time.Millisecond
	early := make(chan time.Duration, 8)
	address := serve(t, func(_ int, c net.Conn) {
		begin := time.Now()
		answer(c)
		early <- time.Since(begin)
	})
	p, err := newHost(t).Port(t.Context(), address, drivers.SerialMode{ConnectDelay: delay})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if got, err := ask(p, "a"); got != "b" || err != nil {
			t.Fatalf("got %q, %v", got, err)
		}
		if after := <-early; after < delay-5*time.Millisecond {
			t.Errorf("asked after %v", after)
		}
	}
}

// Close releases who waits, also for a connection.
func TestCloseWhileConnecting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConnection("unix", "x", "@nobody", time.Hour)
		ours, theirs := net.Pipe()
		c.conn = ours
		theirs.Close()
		ended := make(chan error)
		go func() {
			_, err := c.Write([]byte("x"))
			ended <- err
		}()
		synctest.Wait()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, os.ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
}

package bounded_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/internal/bounded"
)

// counted counts the connections of a listener.
type counted struct {
	net.Listener
	open, most *atomic.Int32
}

func (l *counted) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.most.Store(max(l.most.Load(), l.open.Add(1)))
	return &countedConn{Conn: c, open: l.open}, nil
}

type countedConn struct {
	net.Conn
	once sync.Once
	open *atomic.Int32
}

func (c *countedConn) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}

// Connections that ask for nothing do not take the numbers of files away from the program, nor the
// server from others for long.
func TestIdleConnectionsAreFewAndEnd(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var open, most atomic.Int32
	s := bounded.Server(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "here") }))
	s.ReadHeaderTimeout, s.ReadTimeout = 100*time.Millisecond, 100*time.Millisecond
	done := make(chan error, 1)
	go func() { done <- s.Serve(bounded.Listener(&counted{Listener: l, open: &open, most: &most})) }()
	for range 200 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatalf("the server does not come back: %v", err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); string(text) != "here" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
	if n := most.Load(); n > 16 {
		t.Errorf("%d connections at a time", n)
	}
	s.Close()
	<-done
}

// pipe is a listener of one connection in memory, so that time can be a bubble's.
type pipe struct {
	conn chan net.Conn
	net.Listener
}

func (p *pipe) Accept() (net.Conn, error) {
	c, ok := <-p.conn
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (p *pipe) Close() error { return nil }

func TestKeptConnectionEndsAfterTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mine, its := net.Pipe()
		p := &pipe{conn: make(chan net.Conn, 1)}
		p.conn <- its
		s := bounded.Server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err != nil {
				http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
			}
		}))
		done := make(chan error, 1)
		go func() { done <- s.Serve(p) }()
		in := bufio.NewReader(mine)
		go fmt.Fprint(mine, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n", strings.Repeat("x", 5000))
		resp, err := http.ReadResponse(in, nil)
		if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Fatalf("a large request: %+v, %v", resp, err)
		}
		mine.Close()
		mine, its = net.Pipe()
		p.conn <- its
		in = bufio.NewReader(mine)
		go fmt.Fprint(mine, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if resp, err := http.ReadResponse(in, nil); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("got %+v, %v", resp, err)
		}
		began := time.Now()
		if _, err := in.ReadByte(); err != io.EOF || time.Since(began) != 10*time.Second {
			t.Errorf("an idle connection ends with %v after %v", err, time.Since(began))
		}
		close(p.conn)
		<-done
		s.Close()
	})
}

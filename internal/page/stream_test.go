package page

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/contract"
)

// pipes is a listener without a network, whose connections hold nothing: what is not read, is not
// written.
type pipes struct {
	accept chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{accept: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accept:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080} }

// dial opens a connection and asks for a path on it.
func (p *pipes) dial(t *testing.T, path string, headers ...string) net.Conn {
	t.Helper()
	mine, its := net.Pipe()
	p.accept <- its
	request := "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + strings.Join(headers, "\r\n") + "\r\n\r\n"
	if _, err := io.WriteString(mine, request); err != nil {
		t.Fatal(err)
	}
	return mine
}

// serving serves a page in a bubble until the function that is returned is called.
func serving(t *testing.T, p *Page) (l *pipes, stop func()) {
	l = newPipes()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx, l) }()
	return l, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestSlowReader: a viewer that does not read is dropped after its time, and takes nothing from the
// one beside it.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSample()
		p := New(s.config(onLoopback))
		l, stop := serving(t, p)
		slow := l.dial(t, "/events")
		good := l.dial(t, "/events")
		ticks := make(chan time.Time, 100)
		go func() {
			defer close(ticks)
			for lines := bufio.NewScanner(good); lines.Scan(); {
				if lines.Text() == "event: tick" {
					ticks <- time.Now()
				}
			}
		}()
		began := time.Now()
		for i := range 20 {
			s.set("boiler", contract.Value{Field: "temperature", Value: float64(i)})
			if at := (<-ticks).Sub(began); at > time.Duration(i+1)*frameEvery+100*time.Millisecond {
				t.Fatalf("tick %d comes after %v", i, at)
			}
		}
		if n := p.frames.viewers.n.Load(); n != 1 {
			t.Errorf("%d viewers after 20 s, want the one that reads", n)
		}
		if _, err := io.Copy(io.Discard, slow); err != nil {
			t.Errorf("the slow one is not dropped: %v", err)
		}
		good.Close()
		synctest.Wait()
		stop()
		if n := p.frames.viewers.n.Load(); n != 0 {
			t.Errorf("%d viewers are left", n)
		}
	})
}

// TestStalledViewer: over a real socket the kernel takes what a viewer does not read. It is dropped
// all the same, and its place is free.
func TestStalledViewer(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes six seconds")
	}
	p := New(newSample().config(onLoopback))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx, l) }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.(*net.TCPConn).SetReadBuffer(1); err != nil { // the kernel has a least one
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	came := false
	for began := time.Now(); time.Since(began) < 30*time.Second; time.Sleep(50 * time.Millisecond) {
		n := p.frames.viewers.n.Load()
		if came = came || n == 1; came && n == 0 {
			break
		}
	}
	if n := p.frames.viewers.n.Load(); !came || n != 0 {
		t.Errorf("%d viewers after half a minute, came: %v", n, came)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestHeadOfEvents: who asks for the head of the stream gets it, and takes no place.
func TestHeadOfEvents(t *testing.T) {
	p := New(newSample().config(onLoopback))
	server := httptest.NewServer(p.Handler())
	defer server.Close()
	for range 2 * maxViewers {
		r, err := server.Client().Head(server.URL + "/events")
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("%s, %v", r.Status, r.Header)
		}
	}
}

// TestOnlyChangesAreSent: after all parts have been sent, only those that differ.
func TestOnlyChangesAreSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSample()
		p := New(s.config(onLoopback))
		l, stop := serving(t, p)
		c := l.dial(t, "/events")
		lines := bufio.NewScanner(c)
		// second returns the ids of the parts until the next tick.
		second := func() (ids []string) {
			for lines.Scan() {
				switch lines.Text() {
				case "event: part":
					lines.Scan()
					ids = append(ids, strings.TrimPrefix(lines.Text(), "data: "))
				case "event: tick":
					return ids
				}
			}
			t.Fatal("the stream ended")
			return nil
		}
		if ids := second(); len(ids) != len(parts)+4 {
			t.Errorf("at first %q", ids)
		}
		if ids := second(); len(ids) != 0 {
			t.Errorf("nothing changed, and it sends %q", ids)
		}
		s.set("boiler", contract.Value{Field: "temperature", Value: 99.5})
		if ids := strings.Join(second(), " "); ids != "s0" {
			t.Errorf("the boiler changed, and it sends %q", ids)
		}
		c.Close()
		synctest.Wait()
		stop()
	})
}

// TestSnapshotsAreShared: eight viewers and a reload cost one snapshot a second, nobody costs none,
// and the ninth viewer is refused.
func TestSnapshotsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSample()
		var taken atomic.Int32
		c := s.config(onLoopback)
		status := c.View.Status
		c.View.Status = func() contract.LocalStatus { taken.Add(1); return status() }
		p := New(c)
		l, stop := serving(t, p)
		var all sync.WaitGroup
		var conns []net.Conn
		read := func(c net.Conn) {
			conns = append(conns, c)
			all.Go(func() { _, _ = io.Copy(io.Discard, c) })
		}
		for range maxViewers {
			read(l.dial(t, "/events"))
			time.Sleep(130 * time.Millisecond)
		}
		ninth := l.dial(t, "/events")
		r, err := http.ReadResponse(bufio.NewReader(ninth), nil)
		if err != nil || r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" {
			t.Errorf("the ninth viewer: %v, %v", r, err)
		}
		ninth.Close()
		taken.Store(0)
		for range 100 {
			c := l.dial(t, "/", "Connection: close")
			read(c)
			time.Sleep(100 * time.Millisecond)
		}
		if n := taken.Load(); n < 9 || n > 12 {
			t.Errorf("%d snapshots in 10 s", n)
		}
		for _, c := range conns {
			c.Close()
		}
		all.Wait()
		time.Sleep(2 * time.Second)
		taken.Store(0)
		time.Sleep(time.Hour)
		if n := taken.Load(); n != 0 {
			t.Errorf("%d snapshots while nobody looks", n)
		}
		stop()
	})
}

// TestStreamEndsWithTheSession: on the network.
func TestStreamEndsWithTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSample()
		page := onNetwork
		page.SelfSigned = false // the pipe is not the network
		p := New(s.config(page))
		l, stop := serving(t, p)
		token, _, _ := p.gate.signIn("127.0.0.1:1", s.password)
		c := l.dial(t, "/events", "Cookie: fieldgate="+token)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if r, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil {
				_, _ = io.Copy(io.Discard, r.Body)
			}
		}()
		time.Sleep(10 * time.Second)
		select {
		case <-ended:
			t.Fatal("it ends before")
		default:
		}
		s.mu.Lock()
		s.up += sessionLife
		s.mu.Unlock()
		time.Sleep(2 * time.Second)
		select {
		case <-ended:
		default:
			t.Error("it goes on")
		}
		c.Close()
		stop()
	})
}

// TestThousandConnections: those who say nothing, over real sockets with TLS; a viewer with the
// right certificate is served as soon as they have had their time, and the log has one line.
func TestThousandConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes six seconds")
	}
	s, log := newSample(), new(logged)
	s.log = slog.New(slog.NewTextHandler(log, nil))
	c := s.config(config.Page{Listen: "0.0.0.0:8443", PasswordFile: "x", SelfSigned: true})
	c.Certificate = filepath.Join(t.TempDir(), "page-certificate.pem")
	p := New(c)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx, l) }()
	var open []net.Conn
	for i := range 1000 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
		if i%3 == 1 {
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: ") // no TLS, and not whole; it may be closed already
		} else if i%3 == 2 {
			_, _ = c.Write([]byte{0x16, 3, 1, 0xff, 0xff}) // a record of TLS that never comes
		}
	}
	pinned := &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
		sum := sha256.Sum256(s.PeerCertificates[0].Raw)
		if got := strings.ToUpper(hex.EncodeToString(sum[:])); got != strings.ReplaceAll(p.certs.fingerprint(), ":", "") {
			return errors.New("another certificate: " + got)
		}
		return nil
	}}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: pinned, DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	began, code := time.Now(), 0
	for code == 0 && time.Since(began) < 20*time.Second {
		r, err := client.Get("https://" + l.Addr().String() + "/")
		if err == nil {
			code = r.StatusCode
			if r.ProtoMajor != 1 {
				t.Errorf("protocol %s", r.Proto)
			}
			r.Body.Close()
			continue
		}
		time.Sleep(50 * time.Millisecond)
	}
	if code != http.StatusSeeOther {
		t.Errorf("after %v: %d", time.Since(began), code)
	}
	t.Logf("served after %v", time.Since(began).Round(time.Millisecond))
	for _, c := range open {
		c.Close()
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := log.count("too many connections"); n != 1 {
		t.Errorf("%d lines of log:\n%s", n, fmt.Sprint(log.text.String()))
	}
}

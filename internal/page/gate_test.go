package page

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/config"
)

// logged keeps what is logged.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// count returns how many lines have a text.
func (l *logged) count(what string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, what) {
			n++
		}
	}
	return n
}

func newGateSample(page config.Page) (*sample, *logged, *gate) {
	s, l := newSample(), new(logged)
	s.log = slog.New(slog.NewTextHandler(l, nil))
	return s, l, newGate(s.config(page))
}

// TestWrongPasswords: an address has five tries, and then one each twenty seconds, whatever it
// knows by then. It is logged once.
func TestWrongPasswords(t *testing.T) {
	s, log, g := newGateSample(onLoopback)
	for i := range 5 {
		if _, r, _ := g.signIn("192.0.2.7:1000", "wrong"); r != refused {
			t.Fatalf("try %d: %v", i, r)
		}
	}
	for range 1000 {
		if _, r, wait := g.signIn("192.0.2.7:2000", s.password); r != tooOften || wait <= 0 || wait > pauseEach {
			t.Fatalf("the right password, too often: %v after %v", r, wait)
		}
	}
	if _, r, _ := g.signIn("192.0.2.8:1000", s.password); r != signedIn {
		t.Errorf("another address: %v", r)
	}
	s.up += pauseEach
	if _, r, _ := g.signIn("192.0.2.7:1000", "wrong"); r != refused {
		t.Errorf("after the pause: %v", r)
	}
	if _, r, _ := g.signIn("192.0.2.7:1000", s.password); r != tooOften {
		t.Errorf("at once again: %v", r)
	}
	s.up += pauseEach
	if _, r, _ := g.signIn("192.0.2.7:1000", s.password); r != signedIn {
		t.Errorf("the right password after the pause: %v", r)
	}
	if n := log.count("too many wrong passwords"); n != 1 {
		t.Errorf("%d lines of log", n)
	}
	s.up += time.Hour
	for range 10 {
		g.signIn("192.0.2.7:1000", "wrong")
	}
	if n := log.count("too many wrong passwords"); n != 2 {
		t.Errorf("%d lines of log after it had calmed down", n)
	}
}

// TestWrongPasswordsOfMany: many addresses have not more tries than a few, and cost bounded memory.
func TestWrongPasswordsOfMany(t *testing.T) {
	s, log, g := newGateSample(onNetwork)
	looked := 0
	for i := range 100_000 {
		if _, r, _ := g.signIn(fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&0xff, i&0xff), "wrong"); r == refused {
			looked++
		}
		s.up += time.Millisecond
	}
	if most := triesAll + int(100*time.Second/pauseAll) + 1; looked > most || looked < triesAll {
		t.Errorf("%d passwords were looked at in 100 s, want at most %d", looked, most)
	}
	if n := len(g.each); n > maxAddresses {
		t.Errorf("%d addresses are remembered", n)
	}
	if n := log.count("of many addresses"); n != 1 {
		t.Errorf("%d lines of log", n)
	}
}

// TestAddressOfIPv6: a network that one has alone is one address.
func TestAddressOfIPv6(t *testing.T) {
	_, _, g := newGateSample(onNetwork)
	for i := range 5 {
		g.signIn(fmt.Sprintf("[2001:db8:1:2::%x]:1", i+1), "wrong")
	}
	if _, r, _ := g.signIn("[2001:db8:1:2:ffff::9%eth0]:1", "wrong"); r != tooOften {
		t.Errorf("the same network: %v", r)
	}
	if _, r, _ := g.signIn("[2001:db8:1:3::1]:1", "wrong"); r != refused {
		t.Errorf("another network: %v", r)
	}
	for range 5 {
		g.signIn("[::ffff:192.0.2.9]:1", "wrong")
	}
	if _, r, _ := g.signIn("192.0.2.9:1", "wrong"); r != tooOften {
		t.Errorf("the same address of IPv4: %v", r)
	}
}

// TestWrongPasswordsAtOnce: those who try at the same time are limited too.
func TestWrongPasswordsAtOnce(t *testing.T) {
	s := newSample()
	var looked atomic.Int32
	c := s.config(onNetwork)
	c.Password = func() ([]byte, error) { looked.Add(1); return []byte(s.password), nil }
	g := newGate(c)
	var wg sync.WaitGroup
	for range 500 {
		wg.Go(func() { g.signIn("192.0.2.7:1", "wrong") })
	}
	wg.Wait()
	if n := looked.Load(); n > triesEach {
		t.Errorf("%d passwords were looked at", n)
	}
}

// TestSessionsEnd: after their time, or when there are too many.
func TestSessionsEnd(t *testing.T) {
	s, _, g := newGateSample(onNetwork)
	var tokens []string
	for i := range maxSessions + 3 {
		token, r, _ := g.signIn(fmt.Sprintf("192.0.2.%d:1", i), s.password)
		if r != signedIn {
			t.Fatal(r)
		}
		tokens = append(tokens, token)
		s.up += time.Minute
	}
	for i, token := range tokens {
		if got, want := g.open(token), i >= 3; got != want {
			t.Errorf("session %d of %d: %v", i, len(tokens), got)
		}
	}
	s.up += sessionLife
	if last := tokens[len(tokens)-1]; g.open(last) {
		t.Error("a session does not end")
	}
	for _, token := range []string{"", "x", strings.Repeat("x", 5000)} {
		if g.open(token) {
			t.Errorf("%q is a session", token)
		}
	}
}

// TestNoPasswordIsNoPassword: an empty file, or one that cannot be read, lets nobody in.
func TestNoPasswordIsNoPassword(t *testing.T) {
	s := newSample()
	c := s.config(onLoopback)
	for _, tt := range []struct {
		password []byte
		err      error
		want     result
	}{{nil, nil, refused}, {[]byte{}, nil, refused}, {nil, http.ErrBodyNotAllowed, unreadable}} {
		c.Password = func() ([]byte, error) { return tt.password, tt.err }
		if token, r, _ := newGate(c).signIn("192.0.2.7:1", ""); r != tt.want || token != "" {
			t.Errorf("%q, %v: %v", tt.password, tt.err, r)
		}
	}
}

package page

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/netip"
	"sync"
	"time"
)

const (
	maxSessions = 16
	sessionLife = 12 * time.Hour

	// How many wrong passwords there may be in a row, and after which time another one. An address
	// is an IPv4 address, or a network of 64 bits of IPv6.
	triesEach, pauseEach = 5, 20 * time.Second
	triesAll, pauseAll   = 30, 2 * time.Second
	maxAddresses         = 256
)

// A gate keeps the sessions of those who are signed in, and limits who tries to be.
type gate struct {
	cfg Config

	mu       sync.Mutex
	sessions map[[sha256.Size]byte]time.Duration // by the hash of its token: when it ends
	each     map[netip.Addr]*tries
	all      *tries
}

// tries are the wrong passwords that are still allowed. They grow back.
type tries struct {
	left, most float64
	pause      time.Duration
	at         time.Duration
	closed     bool // and that was logged
}

func newGate(c Config) *gate {
	up := c.Up()
	return &gate{cfg: c, sessions: map[[sha256.Size]byte]time.Duration{}, each: map[netip.Addr]*tries{},
		all: &tries{left: triesAll, most: triesAll, pause: pauseAll, at: up}}
}

// grow gives tries back.
func (t *tries) grow(up time.Duration) {
	t.left = min(t.most, t.left+(up-t.at).Seconds()/t.pause.Seconds())
	t.at = up
	if t.left >= t.most/2 {
		t.closed = false
	}
}

// wait is for how long no password is looked at.
func (t *tries) wait() time.Duration {
	if t.left >= 1 {
		return 0
	}
	return time.Duration((1 - t.left) * float64(t.pause))
}

// source is who an address counts as.
func source(remote string) netip.Addr {
	a, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	addr := a.Addr().Unmap().WithZone("")
	if addr.Is6() {
		network, err := addr.Prefix(64)
		if err != nil {
			return netip.Addr{}
		}
		return network.Addr()
	}
	return addr
}

// take takes a try of an address, which is given back if the password is right. wait is for how
// long there is none.
func (g *gate) take(from netip.Addr) (wait time.Duration) {
	up := g.cfg.Up()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all.grow(up)
	t := g.each[from]
	if t == nil {
		if len(g.each) >= maxAddresses {
			for a, other := range g.each {
				if other.grow(up); other.left == other.most {
					delete(g.each, a)
				}
			}
		}
		if len(g.each) >= maxAddresses {
			return pauseEach // as many addresses cannot be within the limit of all
		}
		t = &tries{left: triesEach, most: triesEach, pause: pauseEach, at: up}
		g.each[from] = t
	}
	t.grow(up)
	if wait := t.wait(); wait > 0 {
		if !t.closed {
			t.closed = true
			g.cfg.Log.Warn("status page: too many wrong passwords: those of this address are refused for a while", "address", from)
		}
		return wait
	}
	if wait := g.all.wait(); wait > 0 {
		if !g.all.closed {
			g.all.closed = true
			g.cfg.Log.Warn("status page: too many wrong passwords of many addresses: all are refused for a while")
		}
		return wait
	}
	t.left--
	g.all.left--
	return 0
}

// A result is what became of a try to sign in.
type result int

const (
	refused result = iota
	tooOften
	unreadable
	signedIn
)

// signIn opens a session for the right password.
func (g *gate) signIn(remote, password string) (token string, r result, wait time.Duration) {
	from := source(remote)
	if wait := g.take(from); wait > 0 {
		return "", tooOften, wait
	}
	want, err := g.cfg.Password()
	if err != nil {
		g.cfg.Log.Warn("status page: nobody can sign in", "err", err)
		return "", unreadable, 0
	}
	// Hashes have one length, whatever the password's is.
	a, b := sha256.Sum256([]byte(password)), sha256.Sum256(want)
	if subtle.ConstantTimeCompare(a[:], b[:]) != 1 || len(want) == 0 {
		return "", refused, 0
	}
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	token = base64.RawURLEncoding.EncodeToString(random[:])
	up := g.cfg.Up()
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.each[from]
	if t != nil {
		t.left = min(t.most, t.left+1)
	}
	g.all.left = min(g.all.most, g.all.left+1)
	g.dropLocked(up)
	g.sessions[sha256.Sum256([]byte(token))] = up + sessionLife
	g.cfg.Log.Info("status page: signed in", "address", from)
	return token, signedIn, 0
}

// dropLocked makes room for a session: those that have ended go, and the oldest if there are too
// many.
func (g *gate) dropLocked(up time.Duration) {
	var oldest [sha256.Size]byte
	for id, end := range g.sessions {
		if end <= up {
			delete(g.sessions, id)
		} else if first, ok := g.sessions[oldest]; !ok || end < first {
			oldest = id
		}
	}
	if len(g.sessions) >= maxSessions {
		delete(g.sessions, oldest)
	}
}

// open reports whether a token is that of a session.
func (g *gate) open(token string) bool {
	if token == "" {
		return false
	}
	up := g.cfg.Up()
	g.mu.Lock()
	defer g.mu.Unlock()
	end, ok := g.sessions[sha256.Sum256([]byte(token))]
	return ok && up < end
}

// signOut ends a session.
func (g *gate) signOut(token string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.sessions, sha256.Sum256([]byte(token)))
}

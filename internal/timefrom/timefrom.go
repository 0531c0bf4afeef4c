// Package timefrom learns the time from where gateway.time_from says, for boards that NTP does not
// reach: from the Date of an HTTPS server, or from the readings of a GNSS sensor. What it hears is
// an offset of the kernel's boot with an uncertainty; whether that can be right and is taken is
// package clock's.
package timefrom

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/clock"
)

// Attempts follow each other after askMin, and after twice as long each time, up to askMax.
const (
	askMin = 5 * time.Second
	askMax = time.Minute
)

// Fields of a sensor that has the time.
const (
	timeField = "time"
	fixField  = "fix"
)

// A sensor's reading is of the newest second that has come whole. A receiver that speaks once a
// second has sent it within a second after it began, and it is read within another: it is two
// seconds old at most, and taken for one.
const sensorAge, sensorUncertainty = time.Second, time.Second

// Config is what a Source is made of.
type Config struct {
	From  string               // a URL, the name of a sensor, or "": then nothing is heard
	Known func() bool          // whether the time of the running kernel is known: then nobody is asked
	Up    func() time.Duration // since power-up
	Floor time.Time            // which has certainly passed: a certificate that ended before is refused
	Roots *x509.CertPool       // who may sign the server's certificate; nil: whom the system trusts
	// Proxy returns the proxy for a request, as that of http.Transport; nil: the environment's.
	Proxy func(*http.Request) (*url.URL, error)
	Log   *slog.Logger

	dial func(ctx context.Context, network, address string) (net.Conn, error) // nil: the network's
}

// A Source is made by New. Its methods may be called from any goroutine.
type Source struct {
	cfg Config

	mu     sync.Mutex
	offset clock.Offset
	heard  bool
	waits  string
}

// New makes a source that has heard nothing yet.
func New(c Config) *Source {
	s := &Source{cfg: c}
	switch {
	case c.From == "":
	case s.isURL():
		s.waits = c.From + " has not answered yet (gateway.time_from)"
	default:
		s.waits = "sensor " + c.From + " has not given a time yet (gateway.time_from)"
	}
	return s
}

func (s *Source) isURL() bool { return strings.Contains(s.cfg.From, "://") }

// Offset implements clock.Elsewhere.
func (s *Source) Offset() (clock.Offset, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.offset, s.heard
}

// Waits implements clock.Elsewhere.
func (s *Source) Waits() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waits
}

func (s *Source) set(o clock.Offset) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset, s.heard, s.waits = o, true, ""
}

// wait notes why nothing was heard, and reports whether that is another reason than before, numbers
// aside: an address or a time in it changes with each attempt.
func (s *Source) wait(why string) (another bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	another = withoutDigits(why) != withoutDigits(s.waits)
	s.waits = why
	return another
}

func withoutDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, s)
}

// Run asks a server until the time is known or ctx ends; there is nothing to do for a sensor.
func (s *Source) Run(ctx context.Context) error {
	if !s.isURL() {
		return nil
	}
	for pause := askMin; !s.cfg.Known(); pause = min(2*pause, askMax) {
		o, err := Ask(ctx, s.cfg)
		if err == nil {
			s.set(o)
		} else if s.wait(err.Error()) && ctx.Err() == nil {
			s.cfg.Log.Warn("the time cannot be learned from gateway.time_from", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
	return nil
}

// Reading takes in a reading of any sensor, that was made at up.
func (s *Source) Reading(sensor string, up time.Duration, values []drivers.Value) {
	if sensor != s.cfg.From || s.cfg.Known() {
		return
	}
	text := ""
	for i := range values {
		switch v := &values[i]; v.Field {
		case timeField:
			if v.Kind() == drivers.KindString && v.Reason() == "" {
				text = v.Text()
			}
		case fixField:
			if v.Kind() == drivers.KindString && v.Text() == "none" {
				s.wait("sensor " + sensor + " has no fix yet, and without one its time may be anything")
				return
			}
		}
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		s.wait("sensor " + sensor + " gives no time")
		return
	}
	s.set(clock.Offset{Boot: time.Duration(at.UnixNano()) + sensorAge - up, Source: clock.GNSS, Uncertainty: sensorUncertainty})
}

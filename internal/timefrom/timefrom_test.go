package timefrom

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/clock"
)

// server is an HTTPS server behind pipes, in a bubble; each test writes its handler.
type server struct {
	t     *testing.T
	roots *x509.CertPool
	conns chan net.Conn
	dials int
	wrong bool // it shows a certificate that nobody knows
}

// serve starts a server whose certificate is valid from and to these times.
func serve(t *testing.T, from, to time.Time, handler http.HandlerFunc) *server {
	t.Helper()
	s := &server{t: t, roots: x509.NewCertPool(), conns: make(chan net.Conn)}
	cert := certificate(t, "time.example", from, to)
	s.roots.AddCert(cert.Leaf)
	h := &http.Server{Handler: handler, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	config := &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		if s.wrong {
			other := certificate(t, "time.example", from, to)
			return &other, nil
		}
		return &cert, nil
	}}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = h.Serve(tls.NewListener(s, config))
	}()
	t.Cleanup(func() {
		_ = h.Close()
		<-served
		time.Sleep(time.Minute) // for what writes good-byes
	})
	return s
}

func certificate(t *testing.T, host string, from, to time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, NotBefore: from, NotAfter: to,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// Accept, Close and Addr implement net.Listener.
func (s *server) Accept() (net.Conn, error) {
	c, ok := <-s.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (s *server) Close() error   { close(s.conns); return nil }
func (s *server) Addr() net.Addr { return &net.TCPAddr{} }

// wire is an end of a pipe that keeps what is written, as a network does.
type wire struct {
	net.Conn
	mu     sync.Mutex
	out    chan []byte
	closed bool
}

func newWire(c net.Conn) *wire {
	w := &wire{Conn: c, out: make(chan []byte, 1000)}
	go func() { // ends with the connection
		for p := range w.out {
			_, _ = c.Write(p)
		}
		_ = c.Close()
	}()
	return w
}

func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return 0, net.ErrClosed
	}
	w.out <- append([]byte(nil), p...)
	return len(p), nil
}

// Close gives what was written a second to be read.
func (w *wire) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return net.ErrClosed
	}
	w.closed = true
	close(w.out)
	return errors.Join(w.SetReadDeadline(time.Now()), w.Conn.SetWriteDeadline(time.Now().Add(time.Second)))
}

// SetWriteDeadline implements net.Conn: a write never blocks.
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

func pipe() (ours, theirs net.Conn) {
	ours, theirs = net.Pipe()
	return newWire(ours), newWire(theirs)
}

func (s *server) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	s.dials++
	ours, theirs := pipe()
	select {
	case s.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// The board is up for an hour when the bubble begins.
func up(began time.Time) func() time.Duration {
	return func() time.Duration { return time.Since(began) + time.Hour }
}

func (s *server) config(began time.Time) Config {
	return Config{From: "https://time.example/", Known: func() bool { return false }, Up: up(began), Floor: began.AddDate(0, -6, 0), Roots: s.roots,
		Log: slog.New(slog.DiscardHandler), dial: s.dial}
}

// right says what time it is after so long on the way.
func right(delay time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(delay)
		w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
		time.Sleep(delay)
	}
}

func TestAsk(t *testing.T) {
	for _, delay := range []time.Duration{0, 50 * time.Millisecond, time.Second, 3 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(377 * time.Millisecond)
			began := time.Now()
			s := serve(t, began.AddDate(0, -1, 0), began.AddDate(0, 1, 0), right(delay))
			o, err := Ask(t.Context(), s.config(began))
			if err != nil {
				t.Fatal(err)
			}
			off := time.Duration(began.Add(-time.Hour).UnixNano()) - o.Boot
			most := 500*time.Millisecond + delay
			if off.Abs() > o.Uncertainty || o.Uncertainty > most || o.Source != clock.HTTPS || s.dials != 1 {
				t.Errorf("a delay of %v: off by %v, uncertainty %v, want at most %v, %d connections", delay, off, o.Uncertainty, most, s.dials)
			}
			if delay == 0 && o.Uncertainty > 200*time.Millisecond {
				t.Errorf("several answers narrow nothing down: %v", o.Uncertainty)
			}
		})
	}
}

// TestProxy: the server is asked through the proxy that the configuration names.
func TestProxy(t *testing.T) {
	asked := ""
	c := Config{From: "https://time.example/", Up: func() time.Duration { return time.Hour },
		Proxy: func(r *http.Request) (*url.URL, error) { return url.Parse("http://proxy-for-" + r.URL.Host + ":3128") },
		dial: func(_ context.Context, _, address string) (net.Conn, error) {
			asked = address
			return nil, errors.New("no route")
		}}
	if _, err := Ask(t.Context(), c); err == nil || asked != "proxy-for-time.example:3128" {
		t.Errorf("connected to %q: %v", asked, err)
	}
}

// TestBadAnswers: each is a sentence, in time.
func TestBadAnswers(t *testing.T) {
	header := func(name, value string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			right(0)(w, nil)
			w.Header().Set(name, value)
			if value == "" {
				w.Header()[name] = nil
			}
		}
	}
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		change  func(*server, *Config)
		want    string
	}{
		{"no Date", header("Date", ""), nil, "asking https://time.example/ for the time: the answer has no Date: name another server"},
		{"a Date that is none", header("Date", "yesterday, at noon"), nil, `the answer's Date is "yesterday, at noon": name another server`},
		{"a Date with control characters", header("Date", "yesterday\x1b[2J"), nil, "malformed MIME header line"},
		{"out of a cache", header("Age", "7200"), nil, "the answer comes from a cache"},
		{"a Date after the certificate's end", header("Date", "Sat, 01 Jan 2050 00:00:00 GMT"), nil, "the certificate and the Date 2050-01-01T00:00:00Z do not fit: x509: certificate has expired"},
		{"a Date before the certificate", header("Date", "Sun, 06 Jan 1980 00:00:00 GMT"), nil, "the certificate and the Date 1980-01-06T00:00:00Z do not fit"},
		{"never", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, nil, "no answer within 10s"},
		{"an endless header", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", headerMax+1))
		}, nil, "server response headers exceeded 65536 bytes"},
		{"not HTTP", func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				panic(err)
			}
			_, _ = io.WriteString(c, "<html>pay for your access</html>\r\n\r\n")
			_ = c.Close()
		}, nil, "malformed HTTP"},
		{"no answer", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil, "closed the connection without an answer"},
		{"another's certificate", right(0), func(s *server, _ *Config) { s.wrong = true }, "x509: certificate signed by unknown authority"},
		{"a certificate for another host", right(0), func(_ *server, c *Config) { c.From = "https://10.0.0.1/" }, "x509: cannot validate certificate for 10.0.0.1"},
		{"a certificate that ended long ago", right(0), func(_ *server, c *Config) { c.Floor = c.Floor.AddDate(2, 0, 0) }, "x509: certificate has expired"},
		{"no way", right(0), func(_ *server, c *Config) {
			c.dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no route") }
		}, "no route"},
		{"a connection that nobody takes", right(0), func(_ *server, c *Config) {
			c.dial = func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
		}, "no answer within 10s"},
		{"not TLS", right(0), func(_ *server, c *Config) {
			c.dial = func(context.Context, string, string) (net.Conn, error) {
				ours, theirs := pipe()
				go func() {
					_, _ = theirs.Read(make([]byte, 1<<10))
					_, _ = io.WriteString(theirs, "HTTP/1.1 302 Found\r\nLocation: http://portal/\r\n\r\n")
					_ = theirs.Close()
				}()
				return ours, nil
			}
		}, "what answers there does not speak TLS: is it a portal that wants a login?"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				s := serve(t, began.AddDate(0, -1, 0), began.AddDate(0, 1, 0), tt.handler)
				c := s.config(began)
				if tt.change != nil {
					tt.change(s, &c)
				}
				if o, err := Ask(t.Context(), c); err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("want %q, got %v, %v", tt.want, o, err)
				}
				if took := time.Since(began); took > patience {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// TestGoodAnswers: neither status nor body matter, a redirect is not followed, and a certificate
// may be younger than the time floor.
func TestGoodAnswers(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"a redirect to http": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://time.example/", http.StatusMovedPermanently)
		},
		"HTML":             func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"not allowed":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusMethodNotAllowed) },
		"a new connection": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				s := serve(t, began.AddDate(0, 0, -1), began.AddDate(0, 1, 0), handler)
				o, err := Ask(t.Context(), s.config(began))
				if off := time.Duration(began.Add(-time.Hour).UnixNano()) - o.Boot; err != nil || off.Abs() > o.Uncertainty {
					t.Errorf("%v, off by %v", err, off)
				}
				if name != "a new connection" && s.dials != 1 {
					t.Errorf("%d connections", s.dials)
				}
			})
		})
	}
}

// TestAnswersThatContradictEachOther: servers behind one name whose clocks differ.
func TestAnswersThatContradictEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, n := time.Now(), 0
		s := serve(t, began.AddDate(0, -1, 0), began.AddDate(0, 1, 0), func(w http.ResponseWriter, _ *http.Request) {
			n++
			w.Header().Set("Date", time.Now().Add(time.Duration(n)*10*time.Second).UTC().Format(http.TimeFormat))
		})
		if o, err := Ask(t.Context(), s.config(began)); err == nil || !strings.Contains(err.Error(), "contradict each other") {
			t.Errorf("%v, %v", o, err)
		}
	})
}

// warnings counts lines of the log.
type warnings struct {
	sync.Mutex
	lines []string
}

func (w *warnings) Write(p []byte) (int, error) {
	w.Lock()
	defer w.Unlock()
	w.lines = append(w.lines, string(p))
	return len(p), nil
}

// TestRun: at once, then less and less often, but each minute; the log has each reason once; and
// nobody is asked once the time is known.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var mu sync.Mutex
		var asked []time.Duration
		answers, known := false, false
		s := serve(t, began.AddDate(0, -1, 0), began.AddDate(0, 1, 0), func(w http.ResponseWriter, _ *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			if asked = append(asked, time.Since(began)); !answers {
				panic(http.ErrAbortHandler)
			}
		})
		log := &warnings{}
		c := s.config(began)
		c.Known, c.Log = func() bool { mu.Lock(); defer mu.Unlock(); return known }, slog.New(slog.NewTextHandler(log, nil))
		source := New(c)
		if got := source.Waits(); got != "https://time.example/ has not answered yet (gateway.time_from)" {
			t.Errorf("%s", got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- source.Run(ctx) }()
		time.Sleep(10*time.Minute - time.Second)
		mu.Lock()
		if asked[0] != 0 || asked[1] != askMin || len(asked) < 12 || len(asked) > 15 {
			t.Errorf("asked at %v", asked)
		}
		for i := range asked[1:] {
			if d := asked[i+1] - asked[i]; d > askMax {
				t.Errorf("%v without a question", d)
			}
		}
		answers = true
		mu.Unlock()
		if _, ok := source.Offset(); ok || len(log.lines) != 1 || !strings.Contains(source.Waits(), "without an answer") {
			t.Errorf("%v %q %q", ok, log.lines, source.Waits())
		}
		time.Sleep(askMax)
		if o, ok := source.Offset(); !ok || o.Source != clock.HTTPS || source.Waits() != "" {
			t.Errorf("%v %v %q", o, ok, source.Waits())
		}
		mu.Lock()
		known = true
		n := len(asked)
		mu.Unlock()
		time.Sleep(time.Hour)
		if err := <-ended; err != nil || len(asked) != n {
			t.Errorf("%v, %d questions although the time is known", err, len(asked)-n)
		}
	})
}

// TestRunEndsAtOnce: while a server hangs.
func TestRunEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		s := serve(t, began.AddDate(0, -1, 0), began.AddDate(0, 1, 0), func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- New(s.config(began)).Run(ctx) }()
		time.Sleep(time.Second)
		cancel()
		if err := <-ended; err != nil || time.Since(began) > time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestSensor(t *testing.T) {
	at := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	say := func(fix, text string) []drivers.Value {
		return []drivers.Value{drivers.Float("latitude", 1), drivers.String("fix", fix), drivers.String("time", text)}
	}
	known := false
	s := New(Config{From: "gps", Known: func() bool { return known }, Log: slog.New(slog.DiscardHandler)})
	if err := s.Run(t.Context()); err != nil {
		t.Error(err)
	}
	for _, tt := range []struct {
		name, sensor string
		values       []drivers.Value
		want         string // of Waits
	}{
		{"another sensor", "hall", say("gnss", "2026-11-28T12:00:00.000Z"), "sensor gps has not given a time yet (gateway.time_from)"},
		{"no fix", "gps", say("none", "1980-01-06T00:00:00.000Z"), "sensor gps has no fix yet, and without one its time may be anything"},
		{"no date yet", "gps", []drivers.Value{drivers.Bad("time", "not measured")}, "sensor gps gives no time"},
		{"not a time", "gps", say("gnss", "28.11.2026"), "sensor gps gives no time"},
		{"a number", "gps", []drivers.Value{drivers.Int("time", 1)}, "sensor gps gives no time"},
		{"a fix", "gps", say("gnss", "2026-11-28T12:00:00.000Z"), ""},
		{"fixes are not needed", "gps", say("gnss", "2026-11-28T12:00:00.000Z")[2:], ""},
	} {
		s.Reading(tt.sensor, time.Hour, tt.values)
		o, ok := s.Offset()
		if ok != (tt.want == "") || s.Waits() != tt.want {
			t.Errorf("%s: %v, %q", tt.name, ok, s.Waits())
		}
		if want := (clock.Offset{Boot: time.Duration(at.UnixNano()) + time.Second - time.Hour, Source: clock.GNSS, Uncertainty: time.Second}); ok && o != want {
			t.Errorf("%s: %v, want %v", tt.name, o, want)
		}
	}
	before, _ := s.Offset()
	known = true
	s.Reading("gps", 2*time.Hour, say("gnss", "2026-11-28T12:00:00.000Z"))
	if o, _ := s.Offset(); o != before {
		t.Error("a sensor is heard although the time is known")
	}
}

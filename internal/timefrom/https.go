package timefrom

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"

	"github.com/fieldgate/fieldgate/internal/clock"
)

const (
	patience  = 10 * time.Second // with one answer
	samples   = 3                // answers whose seconds end at different times narrow down each other's
	apart     = 330 * time.Millisecond
	headerMax = 64 << 10 // bytes of an answer's header
)

// Ask asks an HTTPS server for its Date. The status does not matter, a redirect is not followed,
// and no body is read. Date has whole seconds, so several answers are compared; one is enough.
func Ask(ctx context.Context, c Config) (clock.Offset, error) {
	u, err := url.Parse(c.From)
	if err != nil {
		return clock.Offset{}, fmt.Errorf("gateway.time_from: %w", err)
	}
	proxy := c.Proxy
	if proxy == nil {
		proxy = http.ProxyFromEnvironment
	}
	t := &http.Transport{
		Proxy: proxy, MaxResponseHeaderBytes: headerMax,
		DialContext: c.dial,
		// The standard check would refuse a certificate that is younger than the time floor, as
		// most are after the program's first weeks. So it is checked as of its first day, or of
		// the floor, and again as of the Date that comes.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
			return verify(&s, u.Hostname(), c.Roots, later(c.Floor, s.PeerCertificates[0].NotBefore))
		}},
	}
	defer t.CloseIdleConnections()
	var low, high time.Duration
	for i := range samples {
		from, to, err := sample(ctx, c, t, u)
		switch {
		case err != nil && i > 0:
			return between(low, high), nil
		case err != nil:
			return clock.Offset{}, fmt.Errorf("asking %s for the time: %w", c.From, err)
		case i == 0:
			low, high = from, to
		default:
			low, high = max(low, from), min(high, to)
		}
		if low > high {
			return clock.Offset{}, fmt.Errorf("asking %s for the time: its answers contradict each other by %v", c.From, low-high)
		}
		if i < samples-1 {
			select {
			case <-ctx.Done():
			case <-time.After(apart):
			}
		}
	}
	return between(low, high), nil
}

// between is the middle of what the kernel's boot may have been.
func between(low, high time.Duration) clock.Offset {
	return clock.Offset{Boot: low + (high-low)/2, Source: clock.HTTPS, Uncertainty: (high - low) / 2}
}

// sample asks once, and returns between which times the kernel has booted: the answer was written
// after the request was sent and before it came, within the second that it names.
func sample(ctx context.Context, c Config, t *http.Transport, u *url.URL) (low, high time.Duration, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no answer within %v", patience))
	defer cancel()
	var sent, came time.Duration
	trace := &httptrace.ClientTrace{
		GotConn:              func(httptrace.GotConnInfo) { sent = c.Up() },
		GotFirstResponseByte: func() { came = c.Up() },
	}
	r, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), http.MethodHead, u.String(), nil)
	if err != nil {
		return 0, 0, err
	}
	r.Header.Set("Cache-Control", "no-cache")
	answer, err := t.RoundTrip(r)
	if err != nil {
		return 0, 0, explain(ctx, err)
	}
	defer answer.Body.Close()
	text := answer.Header.Get("Date")
	date, err := http.ParseTime(text)
	switch {
	case text == "":
		return 0, 0, errors.New("the answer has no Date: name another server")
	case err != nil:
		return 0, 0, fmt.Errorf("the answer's Date is %.60q: name another server", text)
	case answer.Header.Get("Age") != "":
		return 0, 0, errors.New("the answer comes from a cache (it has an Age), and so may its Date: name another server")
	}
	if err := verify(answer.TLS, u.Hostname(), c.Roots, date); err != nil {
		return 0, 0, fmt.Errorf("the certificate and the Date %s do not fit: %w", date.UTC().Format(time.RFC3339), err)
	}
	at := time.Duration(date.UnixNano())
	return at - came, at + time.Second - sent, nil
}

// verify checks the certificate of a host as if it were now.
func verify(s *tls.ConnectionState, host string, roots *x509.CertPool, now time.Time) error {
	o := x509.VerifyOptions{DNSName: host, Roots: roots, Intermediates: x509.NewCertPool(), CurrentTime: now}
	for _, cert := range s.PeerCertificates[1:] {
		o.Intermediates.AddCert(cert)
	}
	_, err := s.PeerCertificates[0].Verify(o)
	return err
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// explain makes the usual errors sentences.
func explain(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, new(tls.RecordHeaderError)):
		return fmt.Errorf("what answers there does not speak TLS: is it a portal that wants a login? %w", err)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("the server closed the connection without an answer: %w", err)
	}
	return err
}

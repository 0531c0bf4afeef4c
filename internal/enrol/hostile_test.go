package enrol

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"strings"
	"testing"
)

// A stranger is a platform whose answers are larger, or have more in them, than they should.
type stranger struct {
	link
	pem           func(certificate string) string
	configuration map[string]string
}

func (s stranger) Sign(ctx context.Context, csr string) (Signed, error) {
	r, err := s.link.Sign(ctx, csr)
	if s.pem != nil {
		r.Certificate = s.pem(r.Certificate)
	}
	return r, err
}

func (s stranger) Register(ctx context.Context, token string, parameters map[string]string) (Registered, error) {
	r, err := s.link.Register(ctx, token, parameters)
	for key, value := range s.configuration {
		r.Configuration[key] = value
	}
	return r, err
}

func (w *world) enrolledBy(t *testing.T, s stranger) error {
	t.Helper()
	s.link = link{w}
	e := w.enrolment(slog.New(slog.DiscardHandler))
	e.cfg.Connect = func(context.Context) (Session, error) { return s, nil }
	return e.Attempt(t.Context())
}

// TestLargeAnswers: what the platform gives may be as large as a message of the service, and
// written larger than it came. The state can be read again all the same.
func TestLargeAnswers(t *testing.T) {
	for name, s := range map[string]stranger{
		"configuration": {configuration: map[string]string{"notes": strings.Repeat("<", 120<<10)}},
		"certificate":   {pem: func(text string) string { return text + strings.Repeat("<", 120<<10) }},
	} {
		w := newWorld()
		if err := w.enrolledBy(t, s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := len(w.cache[dir+"/"+stateFile]); n == 0 || n > maxFile {
			t.Errorf("%s: the state has %d bytes; %d can be read again", name, n, maxFile)
		}
	}
}

// TestOnlyCertificatesAreKept: of what comes with the certificate the chain is kept, and neither a
// key nor a text.
func TestOnlyCertificatesAreKept(t *testing.T) {
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("of somebody else")}))
	bad := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("no certificate")}))
	for name, v := range map[string]struct {
		pem  func(string) string
		kept int // certificates; 0: it is refused
	}{
		"a chain":             {func(c string) string { return c + c }, 2},
		"a key and a text":    {func(c string) string { return "text\n" + c + key + "text\n" }, 1},
		"a key before it":     {func(c string) string { return key + c }, 1},
		"no certificate":      {func(c string) string { return c + bad }, 0},
		"a key alone":         {func(string) string { return key }, 0},
		"nothing in PEM form": {func(string) string { return "<html>" }, 0},
	} {
		w := newWorld()
		err := w.enrolledBy(t, stranger{pem: v.pem})
		if v.kept == 0 {
			if err == nil || !Passes(err) || w.registered != 0 {
				t.Errorf("%s: %v, %d registered", name, err, w.registered)
			}
			continue
		}
		var s state
		if err := json.Unmarshal([]byte(w.cache[dir+"/"+stateFile]), &s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for where, text := range map[string]string{"state": s.Certificate, "file": w.cache[dir+"/"+certificateFile]} {
			if strings.Count(text, "BEGIN CERTIFICATE") != v.kept || strings.Contains(text, "KEY") || strings.Contains(text, "text") {
				t.Errorf("%s: the %s has\n%s", name, where, text)
			}
		}
	}
}

package setup

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/probe"
)

const maxPEM = 4 << 20 // bytes of a file of certificates

// A chain is what a broker shows of itself: its certificate, and those that it adds.
type chain []*x509.Certificate

// fetch makes a connection to the broker of a configuration. chain is nil without TLS.
func (s *session) fetch(ctx context.Context, c *config.Config) (chain, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var shown chain
	err := s.Dial(ctx, c, &tls.Config{
		InsecureSkipVerify: true, // whom to trust is being decided: nothing is sent on this connection
		VerifyConnection:   func(state tls.ConnectionState) error { shown = state.PeerCertificates; return nil },
	})
	if shown != nil { // a broker that wants a certificate of ours may end it
		return shown, nil
	}
	return nil, err
}

// verify checks a chain as a connection will. roots nil are the system's.
func (ch chain) verify(name string, roots *x509.CertPool) error {
	o := x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: x509.NewCertPool()}
	for _, c := range ch[1:] {
		o.Intermediates.AddCert(c)
	}
	_, err := ch[0].Verify(o)
	return err
}

// judge is verify, whose error says what to do.
func (ch chain) judge(name string, roots *x509.CertPool) error {
	err := ch.verify(name, roots)
	if e := (x509.HostnameError{}); errors.As(err, &e) && namesOf(ch[0]) != "" {
		return fmt.Errorf("the broker's certificate is for %s, and not for %s: write one of its names into the URL, or give it by --server-name", foreign(namesOf(ch[0])), name)
	}
	return diagnosed(err)
}

// anchor is the certificate to trust: the authority's if the broker shows it, since that outlives
// the broker's own.
func (ch chain) anchor() *x509.Certificate {
	last := ch[len(ch)-1]
	pool := x509.NewCertPool()
	pool.AddCert(last)
	if len(ch) > 1 && last.IsCA && ch.verify("", pool) == nil {
		return last
	}
	return ch[0]
}

// named is the certificate with a fingerprint, nil if there is none.
func (ch chain) named(fingerprint string) *x509.Certificate {
	plain := strings.NewReplacer(":", "", " ", "", "-", "")
	want := plain.Replace(strings.ToLower(fingerprint))
	want = strings.TrimPrefix(strings.TrimPrefix(want, "sha256"), "fingerprint=")
	for _, c := range ch {
		if plain.Replace(strings.ToLower(fingerprintOf(c))) == want {
			return c
		}
	}
	return nil
}

func fingerprintOf(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	digits := strings.ToUpper(hex.EncodeToString(sum[:]))
	var pairs []string
	for i := 0; i < len(digits); i += 2 {
		pairs = append(pairs, digits[i:i+2])
	}
	return strings.Join(pairs, ":")
}

// show says what is in a certificate.
func (s *session) show(title string, c *x509.Certificate) {
	s.Ask.Say(title)
	s.Ask.Say("  subject: " + foreign(c.Subject.String()))
	s.Ask.Say("  issuer: " + foreign(c.Issuer.String()))
	if names := namesOf(c); names != "" {
		s.Ask.Say("  for: " + foreign(names))
	}
	s.Ask.Say(fmt.Sprintf("  valid: %s to %s", c.NotBefore.Format(time.DateOnly), c.NotAfter.Format(time.DateOnly)))
	const half = 16 * 3 // pairs with their colons
	print := fingerprintOf(c)
	s.Ask.Say("  SHA-256 fingerprint:")
	s.Ask.Say("    " + print[:half])
	s.Ask.Say("    " + print[half:])
}

// foreign is a text of a certificate as one that fits into a line, so that it cannot look like a
// line of ours: the fingerprint below is what people compare.
func foreign(text string) string {
	const most = 60 // letters
	if letters := []rune(text); len(letters) > most {
		text = string(letters[:most-1]) + "…"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

func namesOf(c *x509.Certificate) string {
	names := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return strings.Join(names, ", ")
}

// trust decides whether the broker is the one that is meant, and what the configuration needs to
// know it again.
func (s *session) trust(ctx context.Context, u *url.URL, ch chain) error {
	a, name := &s.Answers, u.Hostname()
	if a.ServerName != "" {
		name = a.ServerName
	}
	switch {
	case a.Fingerprint != "":
		c := ch.named(a.Fingerprint)
		if c == nil {
			return fmt.Errorf("--trust-fingerprint: the broker shows a certificate with the SHA-256 fingerprint %s: compare it with that of the broker's own file (openssl x509 -noout -fingerprint -sha256 -in FILE)", fingerprintOf(ch[0]))
		}
		return s.trusted(name, ch, c)
	case a.CAFile != "":
		text, pool, err := readCA(a.CAFile)
		if err != nil {
			return err
		}
		s.draft.ca = text
		return ch.judge(name, pool)
	}
	err := ch.verify(name, nil)
	unknown := x509.UnknownAuthorityError{}
	if err == nil {
		s.Ask.Say(fmt.Sprintf("  The certificate of %s is good: an authority that this system trusts has signed it.", name))
		return nil
	}
	anchor := ch.anchor()
	if fingerprintOf(anchor) == s.confirmed {
		return s.trusted(name, ch, anchor)
	}
	s.show("The certificate that the broker shows:", ch[0])
	if anchor != ch[0] {
		s.show("The authority that signed it:", anchor)
	}
	if !errors.As(err, &unknown) {
		return ch.judge(name, nil)
	}
	why := "No authority that this system trusts has signed it. Compare the fingerprint with that of the broker's own file (openssl x509 -noout -fingerprint -sha256 -in FILE)."
	if anchor == ch[0] {
		why += " The broker does not show who signed it: if you trust it, you trust this certificate alone, until it is renewed. With --ca-file you trust the authority instead."
	}
	s.Ask.Say(why)
	yes, err := s.yes(ctx, Question{Text: "Trust it", Flag: "--trust-fingerprint or --ca-file"}, false)
	if err != nil {
		return err
	}
	if !yes {
		return fmt.Errorf("the certificate of %s is not trusted: name the authority's file with --ca-file, or its fingerprint with --trust-fingerprint", name)
	}
	s.confirmed = fingerprintOf(anchor)
	return s.trusted(name, ch, anchor)
}

// readCA reads the file of an authority.
func readCA(file string) ([]byte, *x509.CertPool, error) {
	text, err := config.ReadFile(file, maxPEM)
	if err != nil {
		return nil, nil, &mistake{fmt.Errorf("--ca-file: %w", err)}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, nil, &mistake{fmt.Errorf("--ca-file: %s has no certificate in PEM form", file)}
	}
	return text, pool, nil
}

// trusted makes a certificate the one that connections are checked with.
func (s *session) trusted(name string, ch chain, c *x509.Certificate) error {
	pool := x509.NewCertPool()
	pool.AddCert(c)
	if err := ch.judge(name, pool); err != nil {
		return err
	}
	s.draft.ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	s.draft.caNote = "trusted by its fingerprint"
	if c == ch[0] {
		s.draft.caNote = "the broker's own; after its renewal: init --force"
	}
	return nil
}

// diagnosed says in one sentence what an error of a connection is, and what to do.
func diagnosed(err error) error {
	if err == nil {
		return nil
	}
	remedy, cause := probe.Diagnose(err)
	return probe.Sentence(cause, remedy)
}

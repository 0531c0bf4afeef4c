package page

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/config"
)

// newCertSample is certificates in a folder, at a time.
func newCertSample(t *testing.T, page config.Page, file string, now *time.Time) (*certificates, *sample, *logged) {
	t.Helper()
	s, l := newSample(), new(logged)
	s.log = slog.New(slog.NewTextHandler(l, nil))
	c := s.config(page)
	c.Certificate, c.ForTLS = file, func() time.Time { return *now }
	return newCertificates(c), s, l
}

func get(t *testing.T, c *certificates) *tls.Certificate {
	t.Helper()
	cert, err := c.get(nil)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// TestSelfSigned: it is made once, for this gateway alone to read, and renewed before it ends.
func TestSelfSigned(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page-certificate.pem")
	now := time.Now()
	c, _, log := newCertSample(t, onNetwork, file, &now)
	first := get(t, c)
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	leaf := first.Leaf
	if _, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || leaf.IsCA {
		t.Errorf("%T, CA %v", leaf.PublicKey, leaf.IsCA)
	}
	for _, name := range []string{"localhost", "gw1.example.com", "127.0.0.1", "::1"} {
		if err := leaf.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
	sum := sha256.Sum256(leaf.Raw)
	if want := strings.ToUpper(strings.ReplaceAll(fmt.Sprintf("% x", sum), " ", ":")); c.fingerprint() != want || len(want) != 95 {
		t.Errorf("fingerprint %s, want %s", c.fingerprint(), want)
	}
	again, _, _ := newCertSample(t, onNetwork, file, &now)
	if again.fingerprint() != c.fingerprint() {
		t.Error("the next start makes another one")
	}
	now = now.Add(certLife - certRenew - time.Hour)
	if get(t, c) != first {
		t.Error("it is renewed too early")
	}
	now = now.Add(2 * time.Hour)
	second := get(t, c)
	if second == first || !second.Leaf.NotAfter.After(now.Add(certLife-time.Hour)) {
		t.Error("it is not renewed before its end")
	}
	for range 100 {
		get(t, c)
	}
	if n := log.count("status page: certificate"); n != 2 {
		t.Errorf("%d lines of log", n)
	}
	renamed := onNetwork
	renamed.Hosts = []string{"gw3"}
	if third, _, _ := newCertSample(t, renamed, file, &now); get(t, third).Leaf.VerifyHostname("gw3") != nil {
		t.Error("another name does not make another certificate")
	}
	other, _, _ := newCertSample(t, config.Page{Listen: "192.0.2.7:8443", SelfSigned: true, Hosts: onNetwork.Hosts}, file, &now)
	if leaf := get(t, other).Leaf; leaf.VerifyHostname("192.0.2.7") != nil {
		t.Errorf("it is for %q %v", leaf.DNSNames, leaf.IPAddresses)
	}
	now = now.Add(-20 * 365 * 24 * time.Hour) // the clock was wrong
	if leaf := get(t, other).Leaf; leaf.NotBefore.After(now) {
		t.Error("a certificate of the future stays")
	}
}

// TestSelfSignedWithoutADisk: the page is served, and the log says it once.
func TestSelfSignedWithoutADisk(t *testing.T) {
	now := time.Now()
	c, _, log := newCertSample(t, onNetwork, "/proc/none/page-certificate.pem", &now)
	first := get(t, c)
	for range 100 {
		if get(t, c) != first {
			t.Fatal("another one each time")
		}
	}
	if n := log.count("the next start makes another one"); n != 1 {
		t.Errorf("%d lines of log", n)
	}
	broken := filepath.Join(t.TempDir(), "page-certificate.pem")
	if err := os.WriteFile(broken, []byte("-----BEGIN CERTIFICATE-----\nrubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, _ = newCertSample(t, onNetwork, broken, &now)
	get(t, c)
	if text, err := os.ReadFile(broken); err != nil || !strings.Contains(string(text), "PRIVATE KEY") {
		t.Errorf("a broken file stays: %v", err)
	}
}

// TestGivenCertificate: the files of the configuration are taken up when they change. A mistake in
// them leaves the former certificate and is logged once.
func TestGivenCertificate(t *testing.T) {
	dir := t.TempDir()
	page := config.Page{Listen: "0.0.0.0:8443", CertFile: filepath.Join(dir, "cert"), KeyFile: filepath.Join(dir, "key")}
	now := time.Now()
	c, s, log := newCertSample(t, page, "", &now)
	if _, err := c.get(nil); err == nil || !strings.Contains(err.Error(), "page.cert_file") {
		t.Errorf("without files: %v", err)
	}
	write := func() {
		t.Helper()
		text, err := c.makeCertificate(now)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range []string{page.CertFile, page.KeyFile} {
			if err := os.WriteFile(f, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s.up += checkEvery
	}
	write()
	first := get(t, c)
	write()
	second := get(t, c)
	if second == first {
		t.Error("a new certificate is not taken up")
	}
	if err := os.WriteFile(page.CertFile, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		s.up += checkEvery
		if get(t, c) != second {
			t.Fatal("rubbish is taken up")
		}
	}
	if n := log.count("page.cert_file"); n != 2 { // at first there was no file
		t.Errorf("%d lines of log", n)
	}
	write()
	if get(t, c) == second {
		t.Error("what is mended is not taken up")
	}
}

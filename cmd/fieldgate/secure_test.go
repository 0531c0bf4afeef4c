package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority is a certificate authority for one test.
type authority struct {
	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.issue("ca", nil, true)
	return a
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

// issue makes <name>.pem and <name>.key, signed by the authority, valid for 30 days.
func (a *authority) issue(name string, addresses []net.IP, ca bool) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(30 * 24 * time.Hour), IPAddresses: addresses,
		IsCA: ca, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	parent, signer := template, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".pem": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "EC PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(a.path(file), pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

// secure gives the broker a certificate of the authority, "server", and TLS.
func (m *mosquitto) secure(a *authority, more ...string) {
	m.t.Helper()
	m.stop()
	conf, err := os.OpenFile(filepath.Join(m.dir, "mosquitto.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		m.t.Fatal(err)
	}
	defer conf.Close()
	if _, err := fmt.Fprintf(conf, "cafile %s\ncertfile %s\nkeyfile %s\n%s\n", a.path("ca.pem"), a.path("server.pem"), a.path("server.key"), strings.Join(more, "\n")); err != nil {
		m.t.Fatal(err)
	}
	m.start()
}

// TestMutualTLSWithPassword: certificates on both sides and a password from a file, against
// mosquitto; a renewed password is taken up by a reload; neither ever stands in log or status.
func TestMutualTLSWithPassword(t *testing.T) {
	needMosquitto(t)
	a := newAuthority(t)
	a.issue("server", []net.IP{net.IPv4(127, 0, 0, 1)}, false)
	a.issue("gw", nil, false)
	if out, err := exec.Command("mosquitto_passwd", "-b", "-c", a.path("passwords"), "gw1", "open-sesame").CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_passwd: %v: %s", err, out)
	}
	m := newMosquitto(t, "per_listener_settings false", "password_file "+a.path("passwords"), "allow_anonymous false")
	m.secure(a, "require_certificate true")
	password := a.path("password")
	if err := os.WriteFile(password, []byte("an old one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := newGateway(t, "mqtts://127.0.0.1:"+m.port, fmt.Sprintf("%s[mqtt.tls]\nca_file = %q\ncert_file = %q\nkey_file = %q\n",
		"", a.path("ca.pem"), a.path("gw.pem"), a.path("gw.key"))+waveSensor)
	text, err := os.ReadFile(g.path("fieldgate.toml"))
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.Replace(string(text), "[mqtt]\n", fmt.Sprintf("[mqtt]\nusername = \"gw1\"\npassword_file = %q\n", password), 1))
	if err := os.WriteFile(g.path("fieldgate.toml"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	g.running()
	eventually(t, 10*time.Second, "the old password is refused", func() bool {
		s, err := g.ask()
		return err == nil && strings.Contains(strings.ToLower(s.Health.Link.Error), "not authorized")
	})
	if err := os.WriteFile(password, []byte("open-sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// After a refusal the next attempt is minutes away; an operator who has repaired it says so.
	if out, code := g.command("reload", "-c", g.path("fieldgate.toml")); code != exitDone {
		t.Fatalf("reload: %s", out)
	}
	eventually(t, 10*time.Second, "the renewed one is taken", func() bool { s, err := g.ask(); return err == nil && s.Health.Link.Connected })
	s, err := g.ask()
	if err != nil || s.Health.CertDays == nil || *s.Health.CertDays < 29 || *s.Health.CertDays > 30 {
		t.Errorf("days left of the certificate: %v, %v", s.Health.CertDays, err)
	}
	out, _ := g.command("status", "--json", "-c", g.path("fieldgate.toml"))
	for _, secret := range []string{"open-sesame", "an old one"} {
		if strings.Contains(g.log.String()+out, secret) {
			t.Errorf("the password %q is told", secret)
		}
	}
}

package setup

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/config"
)

// certificateOf makes one, signed by another or by itself.
func certificateOf(t *testing.T, template x509.Certificate, by *tls.Certificate) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.BasicConstraintsValid = big.NewInt(time.Now().UnixNano()), true
	parent, signer := &template, key
	if by != nil {
		parent, signer = by.Leaf, by.PrivateKey.(*ecdsa.PrivateKey)
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// shows serves TLS with a chain, and returns how to dial it.
func shows(t *testing.T, chain ...*tls.Certificate) func(context.Context, *config.Config, *tls.Config) error {
	t.Helper()
	c := *chain[0]
	for _, more := range chain[1:] {
		c.Certificate = append(c.Certificate, more.Certificate...)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{c}})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.(*tls.Conn).HandshakeContext(t.Context()) // the client may not like it
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-ended })
	return func(ctx context.Context, c *config.Config, cfg *tls.Config) error {
		cfg = cfg.Clone()
		cfg.ServerName = "broker.test"
		d := tls.Dialer{Config: cfg}
		conn, err := d.DialContext(ctx, "tcp", l.Addr().String())
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

// TestCertificates: what a broker shows decides what is asked and what is trusted.
func TestCertificates(t *testing.T) {
	now := time.Now()
	valid := func(from, to time.Duration, names ...string) x509.Certificate {
		return x509.Certificate{Subject: pkix.Name{CommonName: "broker"}, NotBefore: now.Add(from), NotAfter: now.Add(to), DNSNames: names, IPAddresses: []net.IP{{10, 0, 0, 1}}}
	}
	root := valid(-time.Hour, time.Hour)
	root.IsCA, root.Subject.CommonName, root.KeyUsage = true, "Plant CA", x509.KeyUsageCertSign
	ca := certificateOf(t, root, nil)
	good := certificateOf(t, valid(-time.Hour, time.Hour, "broker.test"), ca)
	for _, v := range []struct {
		name       string
		chain      []*tls.Certificate
		trusts     *tls.Certificate // nil: none
		says, note string
	}{
		{"alone", []*tls.Certificate{good}, good, "you trust this certificate alone, until it is renewed", "the broker's own; after its renewal: init --force"},
		{"with its authority", []*tls.Certificate{good, ca}, ca, "The authority that signed it:\n  subject: CN=Plant CA", "trusted by its fingerprint"},
		{"signed by itself", []*tls.Certificate{certificateOf(t, valid(-time.Hour, time.Hour, "broker.test"), nil)}, nil, "", ""},
		{"with another authority", []*tls.Certificate{good, certificateOf(t, root, nil)}, good, "this certificate alone", "after its renewal"},
		{"expired", []*tls.Certificate{certificateOf(t, valid(-2*time.Hour, -time.Hour, "broker.test"), ca)}, nil, "expired", ""},
		{"not yet valid", []*tls.Certificate{certificateOf(t, valid(time.Hour, 2*time.Hour, "broker.test"), ca)}, nil, "clock", ""},
		{"for another name", []*tls.Certificate{certificateOf(t, valid(-time.Hour, time.Hour, "other.test"), ca)}, nil, "other.test", ""},
	} {
		t.Run(v.name, func(t *testing.T) {
			c, s := conversation(t, map[string][]string{"Broker": {"mqtts://broker.test"}, "Trust it": {"y"}, "Try again": {"y"}})
			if v.name == "signed by itself" {
				v.trusts = v.chain[0]
			}
			if v.trusts == nil {
				s.answers["Broker"] = []string{"mqtts://broker.test", None}
			}
			c.Dial = shows(t, v.chain...)
			r, err := Run(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(s.said.String(), v.says) {
				t.Errorf("want %q in\n%s", v.says, &s.said)
			}
			asked := strings.Contains(strings.Join(s.asked, "|"), "Trust it")
			if v.trusts == nil {
				if r.CAFile != "" || r.Broker != "" || asked {
					t.Errorf("%+v, asked: %v", r, asked)
				}
				return
			}
			text, err := os.ReadFile(r.CAFile)
			if err != nil {
				t.Fatal(err)
			}
			pool := x509.NewCertPool()
			if !pool.AppendCertsFromPEM(text) || !asked {
				t.Errorf("asked: %v, %s", asked, text)
			}
			only := x509.NewCertPool()
			only.AddCert(v.trusts.Leaf)
			if !pool.Equal(only) {
				t.Error("another certificate is trusted")
			}
			file, err := os.ReadFile(c.File)
			if err != nil || !strings.Contains(string(file), v.note) {
				t.Errorf("%v, want %q in\n%s", err, v.note, file)
			}
		})
	}
}

// TestNobodyTrusts: without a yes nothing is written.
func TestNobodyTrusts(t *testing.T) {
	root := x509.Certificate{Subject: pkix.Name{CommonName: "self"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"broker.test"}}
	c, s := conversation(t, map[string][]string{"Broker": {"mqtts://broker.test", None}})
	c.Dial = shows(t, certificateOf(t, root, nil))
	r, err := Run(t.Context(), c)
	if err != nil || r.CAFile != "" || !strings.Contains(s.said.String(), "is not trusted: name the authority's file with --ca-file") {
		t.Errorf("%+v, %v\n%s", r, err, &s.said)
	}
}

// TestFingerprintIsNotEverything: a certificate that is meant, and has another name or has expired,
// would not make a connection.
func TestFingerprintIsNotEverything(t *testing.T) {
	now := time.Now()
	for _, v := range []struct {
		name    string
		ends    time.Time
		says    string
		another string // the name that --server-name gives
	}{{"other.test", now.Add(time.Hour), "other.test", ""}, {"broker.test", now.Add(-time.Minute), "expired", ""}, {"other.test", now.Add(time.Hour), "", "other.test"}} {
		cert := certificateOf(t, x509.Certificate{NotBefore: now.Add(-time.Hour), NotAfter: v.ends, DNSNames: []string{v.name}}, nil)
		c, _ := conversation(t, nil)
		c.Ask = Unattended{Yes: true, Note: func(string) {}}
		c.Answers = Answers{Broker: "mqtts://broker.test", Fingerprint: fingerprintOf(cert.Leaf), ServerName: v.another}
		c.Dial = shows(t, cert)
		r, err := Run(t.Context(), c)
		if v.says != "" {
			if err == nil || !strings.Contains(err.Error(), v.says) {
				t.Errorf("%s: %v", v.name, err)
			}
			continue
		}
		if err != nil || r.CAFile == "" {
			t.Fatalf("%+v, %v", r, err)
		}
		if loaded, err := config.Load(c.File, c.Catalogue); err != nil || loaded.MQTT.TLS.ServerName != v.another {
			t.Errorf("%v", err)
		}
	}
}

package page

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/config"
)

const (
	certLife   = 365 * 24 * time.Hour
	certRenew  = 30 * 24 * time.Hour // before its end
	certBefore = 24 * time.Hour      // of its begin: the viewer's clock may be behind
	maxCert    = 64 << 10            // bytes of the file
	checkEvery = 10 * time.Second    // whether a certificate's files have changed
)

// certificates has the certificate of the page: that of the configuration's files, which are read
// again when they change, or one that it makes, keeps and renews.
type certificates struct {
	cfg Config

	mu      sync.Mutex
	cert    *tls.Certificate
	files   []byte        // that cert was made of
	checked time.Duration // when they were looked at
	failed  string        // what was logged last
}

func newCertificates(c Config) *certificates { return &certificates{cfg: c} }

// get implements tls.Config.GetCertificate.
func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.cert
	var err error
	if c.cfg.Page.SelfSigned {
		err = c.ownLocked()
	} else {
		err = c.givenLocked()
	}
	if err != nil && err.Error() != c.failed {
		c.failed = err.Error()
		c.cfg.Log.Warn("status page: its certificate", "err", err)
	}
	if c.cert == nil {
		return nil, err
	}
	if c.cert != before {
		c.cfg.Log.Info("status page: certificate", "sha256", fingerprint(c.cert), "until", c.cert.Leaf.NotAfter)
	}
	return c.cert, nil
}

// fingerprint returns the SHA-256 of the certificate, as browsers show it; "": there is none.
func (c *certificates) fingerprint() string {
	cert, err := c.get(nil)
	if err != nil {
		return ""
	}
	return fingerprint(cert)
}

func fingerprint(c *tls.Certificate) string {
	sum := sha256.Sum256(c.Certificate[0])
	return strings.ReplaceAll(fmt.Sprintf("% X", sum), " ", ":")
}

// givenLocked takes the files of the configuration if they have changed. A mistake in them leaves
// the former certificate.
func (c *certificates) givenLocked() error {
	up := c.cfg.Up()
	if c.cert != nil && up-c.checked < checkEvery {
		return nil
	}
	c.checked = up
	cert, err := config.ReadFile(c.cfg.Page.CertFile, maxCert)
	if err != nil {
		return fmt.Errorf("page.cert_file: %w", err)
	}
	key, err := config.ReadFile(c.cfg.Page.KeyFile, maxCert)
	if err != nil {
		return fmt.Errorf("page.key_file: %w", err)
	}
	if files := slices.Concat(cert, key); !bytes.Equal(files, c.files) {
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return fmt.Errorf("page.cert_file: %w", err)
		}
		c.cert, c.files, c.failed = &pair, files, ""
	}
	return nil
}

// ownLocked makes a certificate if there is none, or if the one there is ends soon or names other
// hosts. If it cannot be kept, the next start makes another one.
func (c *certificates) ownLocked() error {
	now := c.cfg.ForTLS()
	if c.cert == nil {
		if text, err := config.ReadFile(c.cfg.Certificate, maxCert); err == nil {
			if pair, err := tls.X509KeyPair(text, text); err == nil {
				c.cert = &pair
			}
		}
	}
	if c.cert != nil && c.good(c.cert.Leaf, now) {
		return nil
	}
	text, err := c.makeCertificate(now)
	if err != nil {
		return fmt.Errorf("making a certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		return err
	}
	c.cert = &pair
	if err := config.ReplaceFile(c.cfg.Certificate, text, 0o600); err != nil {
		return fmt.Errorf("keeping it: %w: the next start makes another one", err)
	}
	return nil
}

func (c *certificates) good(leaf *x509.Certificate, now time.Time) bool {
	names, addresses := c.names()
	return leaf != nil && !now.Before(leaf.NotBefore) && now.Add(certRenew).Before(leaf.NotAfter) &&
		slices.Equal(leaf.DNSNames, names) && slices.EqualFunc(leaf.IPAddresses, addresses, net.IP.Equal)
}

// names are what the certificate is for.
func (c *certificates) names() (names []string, addresses []net.IP) {
	names = []string{"localhost"}
	if name, err := os.Hostname(); err == nil && name != "localhost" {
		names = append(names, name, name+".local")
	}
	for _, n := range c.cfg.Page.Hosts {
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	addresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	host, _, err := net.SplitHostPort(c.cfg.Page.Listen)
	if ip := net.ParseIP(host); err == nil && ip != nil && !ip.IsUnspecified() && !ip.IsLoopback() {
		addresses = append(addresses, ip)
	}
	return names, addresses
}

// makeCertificate returns a certificate and its key in PEM form.
func (c *certificates) makeCertificate(now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	names, addresses := c.names()
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "fieldgate status page"},
		NotBefore: now.Add(-certBefore), NotAfter: now.Add(certLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, DNSNames: names, IPAddresses: addresses,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return slices.Concat(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})), nil
}

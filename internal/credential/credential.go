// Package credential finds what proves to the broker who the gateway is: a password from a file,
// the environment or systemd, certificates from files. Everything is read again for every
// connection, so that a renewed one is used at once. Nothing here is logged or kept.
package credential

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/config"
)

const (
	maxPassword = 64 << 10 // bytes of a password's file
	maxPEM      = 4 << 20  // bytes of a file of certificates or of a key
)

// Password returns the password that the configuration names, or nil if it names none.
func Password(m config.MQTT) ([]byte, error) {
	file := m.PasswordFile
	switch {
	case m.PasswordCredential != "":
		dir := os.Getenv("CREDENTIALS_DIRECTORY")
		if dir == "" {
			return nil, fmt.Errorf("mqtt.password_credential: systemd passed no credentials: add LoadCredential=%s:… to the unit", m.PasswordCredential)
		}
		file = filepath.Join(dir, m.PasswordCredential)
	case m.PasswordEnv != "":
		v, ok := os.LookupEnv(m.PasswordEnv)
		if !ok {
			return nil, fmt.Errorf("mqtt.password_env: the environment has no variable %s", m.PasswordEnv)
		}
		return []byte(v), nil
	case file == "":
		return nil, nil
	}
	text, err := config.ReadFile(file, maxPassword)
	if err != nil {
		return nil, fmt.Errorf("mqtt password: %w", err)
	}
	return []byte(strings.TrimRight(string(text), "\r\n")), nil
}

// TLS returns what the configuration says of TLS. now is the time that certificates are checked
// with.
func TLS(t config.TLS, now func() time.Time) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName, Time: now}
	if t.CAFile != "" {
		pem, err := config.ReadFile(t.CAFile, maxPEM)
		if err != nil {
			return nil, fmt.Errorf("mqtt.tls.ca_file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("mqtt.tls.ca_file: %s has no certificate in PEM form", t.CAFile)
		}
	}
	if t.CertFile != "" {
		cert, err := keyPair(t)
		if err != nil {
			return nil, fmt.Errorf("mqtt.tls.cert_file: %w", err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c, nil
}

// keyPair reads the client's certificate and its key.
func keyPair(t config.TLS) (tls.Certificate, error) {
	cert, err := config.ReadFile(t.CertFile, maxPEM)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := config.ReadFile(t.KeyFile, maxPEM)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(cert, key)
}

// DaysLeft returns how many days the client's certificate is still valid; false if there is none.
func DaysLeft(t config.TLS, now time.Time) (float64, bool) {
	if t.CertFile == "" {
		return 0, false
	}
	cert, err := keyPair(t)
	if err != nil || cert.Leaf == nil {
		return 0, false
	}
	return cert.Leaf.NotAfter.Sub(now).Hours() / 24, true
}

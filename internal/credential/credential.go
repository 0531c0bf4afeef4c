// Package credential finds what proves to the broker who the gateway is: a password from a file,
// the environment, systemd or a command, certificates from files. Everything is read again for
// every connection, so that a renewed one is used at once; a Watch notices that files changed while
// there is a connection. Nothing here is logged.
package credential

import (
	"context"
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
	maxPassword = 64 << 10 // bytes of a password's file, and of what a command prints
	maxPEM      = 4 << 20  // bytes of a file of certificates or of a key

	willDelay = 20 * time.Second // a handshake over a slow line takes much of it
)

// Password returns the password that the configuration names, or nil if it names none. expires is
// when it ends, if it is a token of a command that says so; otherwise zero.
func Password(ctx context.Context, m config.MQTT) (password []byte, expires time.Time, err error) {
	switch {
	case len(m.PasswordCommand) > 0:
		if password, err = run(ctx, m.PasswordCommand); err != nil {
			return nil, time.Time{}, fmt.Errorf("mqtt.password_command: %w", err)
		}
		return password, tokenEnd(password, time.Now()), nil
	case m.PasswordEnv != "":
		v, ok := os.LookupEnv(m.PasswordEnv)
		if !ok {
			return nil, time.Time{}, fmt.Errorf("mqtt.password_env: the environment has no variable %s", m.PasswordEnv)
		}
		return []byte(v), time.Time{}, nil
	}
	file, err := passwordFile(m)
	if file == "" || err != nil {
		return nil, time.Time{}, err
	}
	password, err = readPassword(file)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("mqtt password: %w", err)
	}
	return password, time.Time{}, nil
}

// ProxyPassword returns the password for the proxy, "" if the configuration names none.
func ProxyPassword(m config.MQTT) (string, error) {
	if m.ProxyPasswordFile == "" {
		return "", nil
	}
	password, err := readPassword(m.ProxyPasswordFile)
	if err != nil {
		return "", fmt.Errorf("mqtt.proxy_password_file: %w", err)
	}
	return string(password), nil
}

// passwordFile returns the file that has the password, "" if none has it.
func passwordFile(m config.MQTT) (string, error) {
	if m.PasswordCredential == "" {
		return m.PasswordFile, nil
	}
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return "", fmt.Errorf("mqtt.password_credential: systemd passed no credentials: add LoadCredential=%s:… to the unit", m.PasswordCredential)
	}
	return filepath.Join(dir, m.PasswordCredential), nil
}

// readPassword returns the content of a file without the line end.
func readPassword(file string) ([]byte, error) {
	text, err := config.ReadFile(file, maxPassword)
	return withoutLineEnd(text), err
}

func withoutLineEnd(text []byte) []byte { return []byte(strings.TrimRight(string(text), "\r\n")) }

// TLS returns what the configuration says of TLS. now is the time that certificates are checked
// with.
func TLS(t config.TLS, now func() time.Time) (*tls.Config, error) {
	text, err := readTLS(t)
	if err != nil {
		return nil, err
	}
	return text.config(t, now)
}

// A tlsText is the content of the files of [mqtt.tls], nil for those that the configuration does
// not name.
type tlsText struct{ ca, cert, key []byte }

func readTLS(t config.TLS) (text tlsText, err error) {
	for _, f := range []struct {
		key, name string
		into      *[]byte
	}{{"ca_file", t.CAFile, &text.ca}, {"cert_file", t.CertFile, &text.cert}, {"key_file", t.KeyFile, &text.key}} {
		if f.name == "" {
			continue
		}
		if *f.into, err = config.ReadFile(f.name, maxPEM); err != nil {
			return text, fmt.Errorf("mqtt.tls.%s: %w", f.key, err)
		}
	}
	return text, nil
}

func (text tlsText) config(t config.TLS, now func() time.Time) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName, Time: now}
	if t.CAFile != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text.ca) {
			return nil, fmt.Errorf("mqtt.tls.ca_file: %s has no certificate in PEM form", t.CAFile)
		}
	}
	if t.CertFile != "" {
		cert, err := tls.X509KeyPair(text.cert, text.key)
		if err != nil {
			return nil, fmt.Errorf("mqtt.tls.cert_file: %w", err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c, nil
}

// WillDelay returns how long the broker has to wait with the will after a connection has ended: 0
// if nothing of the credentials can be renewed while the gateway runs. To use renewed ones the
// gateway leaves with 0x04 (Disconnect with Will Message) and comes back within this time, so that
// the will is published only if it does not come back [MQTT-3.1.3-9].
func WillDelay(m config.MQTT) time.Duration {
	t := m.TLS
	if len(m.PasswordCommand) > 0 || m.PasswordFile != "" || m.PasswordCredential != "" || t.CAFile != "" || t.CertFile != "" {
		return willDelay
	}
	return 0
}

// DaysLeft returns how many days the client's certificate is still valid; false if there is none.
func DaysLeft(t config.TLS, now time.Time) (float64, bool) {
	if t.CertFile == "" {
		return 0, false
	}
	c, err := TLS(config.TLS{CertFile: t.CertFile, KeyFile: t.KeyFile}, nil)
	if err != nil || c.Certificates[0].Leaf == nil {
		return 0, false
	}
	return c.Certificates[0].Leaf.NotAfter.Sub(now).Hours() / 24, true
}

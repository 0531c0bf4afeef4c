package credential

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/config"
)

// watchEvery is how often the files are read.
const watchEvery = 30 * time.Second

// A Watch gives a client its credentials, and notices that the files behind them changed while
// there is a connection. A pair that is not right yet, such as one that is being written, is
// reported once and not used: the one before stays in use. Its methods may be called from any
// goroutine.
type Watch struct {
	MQTT config.MQTT
	Now  func() time.Time // to check certificates with
	// Reconnect has the client connect again with the new files.
	Reconnect func()
	// Outdated returns the names of credentials that the service has in an older version than their
	// files are.
	Outdated func() []string
	Log      *slog.Logger

	mu      sync.Mutex
	next    time.Time // to look again
	used    files     // by the connection, or by the next one
	trouble string    // why newer files are not used
	restart []string  // credentials that only a restart renews
}

// files is the content of all of them.
type files struct {
	sum      [sha256.Size]byte
	tls      *tls.Config
	password []byte // of a file
}

// read reads the files. The sum is right also if there is an error.
func (w *Watch) read() (f files, err error) {
	text, tlsErr := readTLS(w.MQTT.TLS)
	if tlsErr == nil {
		f.tls, tlsErr = text.config(w.MQTT.TLS, w.Now)
	}
	if tlsErr == nil {
		tlsErr = timely(f.tls, w.Now())
	}
	password, err := w.readPassword()
	if err == nil && password != nil && len(password) == 0 {
		err = errors.New("mqtt password: the file is empty")
	}
	f.password = password
	sum := sha256.New()
	for _, part := range [][]byte{text.ca, text.cert, text.key, password} {
		fmt.Fprintf(sum, "%d ", len(part))
		sum.Write(part)
	}
	sum.Sum(f.sum[:0])
	return f, errors.Join(tlsErr, err)
}

func (w *Watch) readPassword() ([]byte, error) {
	if len(w.MQTT.PasswordCommand) > 0 || w.MQTT.PasswordEnv != "" {
		return nil, nil
	}
	password, _, err := Password(context.Background(), w.MQTT)
	return password, err
}

// TLS returns what the next connection uses.
func (w *Watch) TLS(context.Context) (*tls.Config, error) {
	f, err := w.read()
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.used.tls != nil:
		w.takeLocked(f, err)
	case f.tls == nil:
		return nil, err
	default: // also a certificate that is not valid now: there is no better one
		w.used = f
	}
	return w.used.tls.Clone(), nil
}

// Password returns what the next connection uses.
func (w *Watch) Password(ctx context.Context) (password []byte, expires time.Time, err error) {
	password, expires, err = Password(ctx, w.MQTT)
	w.mu.Lock()
	defer w.mu.Unlock()
	if used := w.used.password; len(used) > 0 && (err != nil || len(password) == 0) { // of a file
		return bytes.Clone(used), time.Time{}, nil
	}
	return password, expires, err
}

// Check looks at the files, at most every half minute, and has the client connect again if they
// changed and are right.
func (w *Watch) Check() {
	w.mu.Lock()
	due := !time.Now().Before(w.next)
	if due {
		w.next = time.Now().Add(watchEvery)
	}
	tried := w.used.tls != nil
	w.mu.Unlock()
	if !due {
		return
	}
	w.checkCredentials()
	if !tried { // no connection yet
		return
	}
	f, err := w.read()
	w.mu.Lock()
	changed := w.takeLocked(f, err)
	w.mu.Unlock()
	if changed {
		w.Log.Info("certificates or password changed: connecting again with the new ones")
		w.Reconnect()
	}
}

// checkCredentials looks for credentials that a restart would renew.
func (w *Watch) checkCredentials() {
	names := w.Outdated()
	w.mu.Lock()
	news := !slices.Equal(names, w.restart)
	w.restart = names
	w.mu.Unlock()
	if news && len(names) > 0 {
		w.Log.Warn("credentials were changed after the service started: a reload does not see that", "credentials", names, "remedy", "systemctl restart fieldgate")
	}
}

// takeLocked takes up newer files that are right. It reports whether there were any.
func (w *Watch) takeLocked(f files, err error) bool {
	before := w.trouble
	w.trouble = ""
	switch {
	case f.sum == w.used.sum: // in use, whatever time made of it
		return false
	case err == nil:
		w.used = f
		return true
	}
	if w.trouble = err.Error(); w.trouble != before {
		w.Log.Warn("certificates or password changed and are not used: the ones before are", "err", err)
	}
	return false
}

// Trouble returns why newer files are not used, a sentence each.
func (w *Watch) Trouble() (list []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.trouble != "" {
		list = append(list, "newer certificates or a newer password are not used: "+w.trouble)
	}
	for _, name := range w.restart {
		list = append(list, fmt.Sprintf("the credential %s was changed after the service started, and is used after a restart only: systemctl restart fieldgate", name))
	}
	return list
}

// timely returns an error if the client's certificate is not valid at that time.
func timely(c *tls.Config, now time.Time) error {
	if len(c.Certificates) == 0 {
		return nil
	}
	switch leaf := c.Certificates[0].Leaf; {
	case leaf == nil:
		return nil
	case now.After(leaf.NotAfter):
		return fmt.Errorf("mqtt.tls.cert_file: the certificate expired at %s", leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("mqtt.tls.cert_file: the certificate is not valid before %s", leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}

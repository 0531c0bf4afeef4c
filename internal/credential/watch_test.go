package credential

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/config"
)

// newPair returns a certificate that is its own authority, and its key, in PEM.
func newPair(t *testing.T, name string, from, until time.Time) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: until, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}

// A watched is a Watch of files in a folder.
type watched struct {
	t   *testing.T
	dir string
	*Watch
	log        bytes.Buffer
	reconnects int
	outdated   []string
}

func newWatched(t *testing.T) *watched {
	w := &watched{t: t, dir: t.TempDir()}
	in := func(name string) string { return filepath.Join(w.dir, name) }
	w.Watch = &Watch{
		MQTT: config.MQTT{Username: "gw", PasswordFile: in("password"), TLS: config.TLS{CAFile: in("ca"), CertFile: in("cert"), KeyFile: in("key")}},
		Now:  time.Now, Reconnect: func() { w.reconnects++ }, Outdated: func() []string { return w.outdated }, Log: slog.New(slog.NewTextHandler(&w.log, nil)),
	}
	return w
}

func (w *watched) write(name string, text []byte) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), text, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// pass lets a minute pass as the housekeeper does.
func (w *watched) pass() {
	for range 60 {
		time.Sleep(time.Second)
		w.Check()
	}
}

// name returns whose certificate the next connection uses, and its password.
func (w *watched) uses() (name, password string) {
	w.t.Helper()
	c, err := w.TLS(w.t.Context())
	if err != nil {
		return err.Error(), ""
	}
	p, _, err := w.Password(w.t.Context())
	if err != nil {
		return c.Certificates[0].Leaf.Subject.CommonName, err.Error()
	}
	return c.Certificates[0].Leaf.Subject.CommonName, string(p)
}

func (w *watched) expect(reconnects int, name, password, trouble string, logged int) {
	w.t.Helper()
	n, p := w.uses()
	if w.reconnects != reconnects || n != name || p != password {
		w.t.Errorf("%d reconnections, certificate of %q, password %q; want %d, %q, %q", w.reconnects, n, p, reconnects, name, password)
	}
	if got := strings.Join(w.Trouble(), ""); (got == "") != (trouble == "") || !strings.Contains(got, trouble) {
		w.t.Errorf("trouble %q, want %q", got, trouble)
	}
	if n := strings.Count(w.log.String(), "level=WARN"); n != logged {
		w.t.Errorf("%d warnings, want %d:\n%s", n, logged, &w.log)
	}
}

// TestWatch changes the files as a renewal does, rightly and wrongly.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		from, until := time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
		certA, keyA := newPair(t, "a", from, until)
		certB, keyB := newPair(t, "b", from, until)
		expired, keyE := newPair(t, "expired", from, time.Now().Add(-time.Minute))
		future, keyF := newPair(t, "future", until, until.Add(time.Hour))
		w.pass() // nothing was read yet: the first connection does it
		if name, _ := w.uses(); !strings.Contains(name, "mqtt.tls.ca_file: open") {
			t.Errorf("without files: %s", name)
		}
		w.write("ca", certA)
		w.write("cert", certA)
		w.write("key", keyA)
		w.write("password", []byte("one\n"))
		w.expect(0, "a", "one", "", 0)
		w.pass()
		w.expect(0, "a", "one", "", 0)

		w.write("password", []byte("two\n"))
		w.pass()
		w.expect(1, "a", "two", "", 0)
		w.write("password", nil)
		w.pass()
		w.expect(1, "a", "two", "the file is empty", 1)
		w.write("password", []byte("two\n")) // as it was
		w.pass()
		w.expect(1, "a", "two", "", 1)

		w.write("cert", certB) // the key follows later
		w.pass()
		w.pass()
		w.expect(1, "a", "two", "does not match", 2)
		w.write("key", keyB[:len(keyB)/2])
		w.pass()
		w.expect(1, "a", "two", "mqtt.tls.cert_file", 3)
		w.write("key", keyB)
		w.pass()
		w.expect(2, "b", "two", "", 3)

		for _, wrong := range []struct {
			cert, key []byte
			want      string
		}{{expired, keyE, "expired at"}, {future, keyF, "not valid before"}, {nil, nil, "mqtt.tls.cert_file"}, {certA, keyB, "does not match"}} {
			w.write("cert", wrong.cert)
			w.write("key", wrong.key)
			w.pass()
			if got := strings.Join(w.Trouble(), ""); !strings.Contains(got, wrong.want) || w.reconnects != 2 {
				t.Errorf("%q after %d reconnections, want %q", got, w.reconnects, wrong.want)
			}
		}
		w.write("cert", certA)
		w.write("key", keyA)
		w.write("ca", certB)
		w.pass()
		w.expect(3, "a", "two", "", 7)
		w.write("ca", []byte("-----BEGIN"))
		w.pass()
		w.expect(3, "a", "two", "no certificate in PEM form", 8)
		os.Remove(filepath.Join(w.dir, "ca"))
		w.pass()
		w.expect(3, "a", "two", "no such file", 9)
	})
}

// TestWatchOfAnExpiredCertificate: what is in use stays in use, and is no trouble of the watch.
func TestWatchOfAnExpiredCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		cert, key := newPair(t, "a", time.Now().Add(-time.Hour), time.Now().Add(-time.Minute))
		w.write("ca", cert)
		w.write("cert", cert)
		w.write("key", key)
		w.write("password", []byte("p"))
		w.expect(0, "a", "p", "", 0)
		w.pass()
		w.expect(0, "a", "p", "", 0)
	})
}

// TestWatchOfACredential: a copy that systemd made at the start is older than its file.
func TestWatchOfACredential(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t)
		cert, key := newPair(t, "a", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
		w.write("ca", cert)
		w.write("cert", cert)
		w.write("key", key)
		w.write("password", []byte("one"))
		w.uses()
		w.pass()
		w.outdated = []string{"mqtt-password"}
		w.pass()
		w.pass()
		if got := w.Trouble(); len(got) != 1 || !strings.Contains(got[0], "mqtt-password was changed after the service started") || strings.Count(w.log.String(), "level=WARN") != 1 {
			t.Errorf("%q, %s", got, &w.log)
		}
		w.outdated = nil
		w.pass()
		if got := w.Trouble(); len(got) > 0 {
			t.Errorf("%q", got)
		}
	})
}

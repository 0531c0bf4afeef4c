package enrol

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"math/big"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const dir, claimKey, claimCert = "/state/enrolled", "/etc/claim.key", "/etc/claim.pem"

// powerCut is what ends a run of the program in the middle of a call.
type powerCut struct{}

// A world is what outlives a power cut: the card and the platform. It counts what is done to either
// as one sequence, and cuts the power at one of them.
type world struct {
	card, cache map[string]string // what is on the card, and what programs see
	ops, cutAt  int
	torn        bool // the file that is written at the cut is there in half
	failAt      map[string]error

	made       int
	tokens     map[string]string // certificate id by token
	active     map[string]string // PEM by id
	pems       map[string]string
	things     map[string]string // certificate id of each
	oneUse     bool              // a token is good for one registration
	fills      bool              // the card is full from the registration on
	prefix     string
	trouble    []error // of the next requests
	registered int     // requests that were accepted
	tried      int
}

func newWorld() *world {
	files := map[string]string{claimKey: "k", claimCert: "c"}
	return &world{card: maps.Clone(files), cache: files, failAt: map[string]error{}, tokens: map[string]string{}, active: map[string]string{}, pems: map[string]string{}, things: map[string]string{}, prefix: "plant7"}
}

// op is one step of the outside world.
func (w *world) op() {
	w.ops++
	if w.ops == w.cutAt {
		panic(powerCut{})
	}
}

// boot is what the board finds when the power is back: the cache survived a kill, not a power cut.
func (w *world) boot(kill bool) {
	w.ops, w.cutAt = 0, 0
	if kill {
		w.card = maps.Clone(w.cache)
	}
	w.cache = maps.Clone(w.card)
}

func (w *world) Directory(string) error { w.op(); return nil }
func (w *world) Read(name string) ([]byte, error) {
	if err := w.failAt["read "+filepath.Base(name)]; err != nil {
		return nil, err
	}
	if text, ok := w.cache[name]; ok {
		return []byte(text), nil
	}
	return nil, fs.ErrNotExist
}
func (w *world) Create(name string, text []byte) error {
	if w.torn && w.ops+1 == w.cutAt {
		half := string(text[:len(text)/2])
		w.card[name], w.cache[name] = half, half
	}
	w.op()
	if err := w.failAt["create "+filepath.Base(name)]; err != nil {
		return err
	}
	w.cache[name] = string(text)
	return nil
}
func (w *world) Rename(from, to string) error {
	w.op()
	w.cache[to] = w.cache[from]
	delete(w.cache, from)
	return nil
}
func (w *world) Remove(name string) error {
	w.op()
	if err := w.failAt["remove "+filepath.Base(name)]; err != nil {
		return err
	}
	if _, ok := w.cache[name]; !ok {
		return fs.ErrNotExist
	}
	delete(w.cache, name)
	return nil
}
func (w *world) Sync(dir string) error {
	w.op()
	for _, files := range []map[string]string{w.card, w.cache} {
		for name := range files {
			if filepath.Dir(name) != dir {
				continue
			}
			if text, ok := w.cache[name]; ok {
				w.card[name] = text
			} else {
				delete(w.card, name)
			}
		}
	}
	return nil
}

// A link is a connection to the platform.
type link struct{ *world }

func (l link) Close() {}

func (w *world) request() error {
	w.op()
	if len(w.trouble) > 0 {
		err := w.trouble[0]
		w.trouble = w.trouble[1:]
		return err
	}
	return nil
}

var authority = func() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}()

func (l link) Sign(_ context.Context, csr string) (Signed, error) {
	if err := l.request(); err != nil {
		return Signed{}, err
	}
	block, _ := pem.Decode([]byte(csr))
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return Signed{}, err
	}
	l.made++
	id := fmt.Sprintf("certificate-%d", l.made)
	template := &x509.Certificate{SerialNumber: big.NewInt(int64(l.made)), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, request.PublicKey, authority)
	if err != nil {
		return Signed{}, err
	}
	l.pems[id] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	token := "token of " + id
	l.tokens[token] = id
	l.op() // the answer is lost
	return Signed{id, l.pems[id], token}, nil
}

func (l link) Register(_ context.Context, token string, parameters map[string]string) (Registered, error) {
	if err := l.request(); err != nil {
		return Registered{}, err
	}
	id, ok := l.tokens[token]
	if !ok {
		return Registered{}, &Fault{What: "no such token", TokenOver: true, Passes: true}
	}
	if l.oneUse {
		delete(l.tokens, token)
	}
	thing := "gw-" + parameters["SerialNumber"]
	l.active[id], l.things[thing] = l.pems[id], id
	l.registered++
	if l.fills {
		l.failAt["create state.json.new"] = syscall.ENOSPC
	}
	l.op()
	return Registered{thing, map[string]string{"topic_prefix": l.prefix}}, nil
}

func (w *world) enrolment(log *slog.Logger) *Enrolment {
	return New(Config{
		Dir: dir, Claim: []string{claimKey, claimCert}, CommonName: "cn", Parameters: map[string]string{"SerialNumber": "17"}, FS: w, Boot: "boot", Up: func() time.Duration { return 0 }, Log: log,
		Connect: func(context.Context) (Session, error) {
			if w.cache[claimKey] == "" || w.cache[claimCert] == "" {
				return nil, &Fault{What: "there is no claim"}
			}
			return link{w}, nil
		},
		Check: func(text string) error {
			if strings.Contains(text, "bad") {
				return errors.New("topic_prefix")
			}
			return nil
		},
		Try: func(_ context.Context, text string) error {
			w.op()
			w.tried++
			if _, err := tls.X509KeyPair([]byte(w.cache[dir+"/device.pem"]), []byte(w.cache[dir+"/device.key"])); err != nil {
				return err
			}
			for _, active := range w.active {
				if active == w.cache[dir+"/device.pem"] {
					return nil
				}
			}
			return errors.New("not active")
		},
	})
}

// start runs the program until it is enrolled or the power is cut.
func (w *world) start(t *testing.T, cutAt int) (cut bool) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			if _, is := r.(powerCut); !is {
				panic(r)
			}
			cut = true
		}
	}()
	w.ops, w.cutAt = 0, cutAt
	if err := w.enrolment(slog.New(slog.DiscardHandler)).Attempt(t.Context()); err != nil {
		t.Fatalf("cut at %d: %v", cutAt, err)
	}
	return false
}

// signedOnCard reports whether the card knows of the newest certificate.
func (w *world) signedOnCard() bool {
	var s state
	_ = json.Unmarshal([]byte(w.card[dir+"/state.json"]), &s)
	return s.CertificateID == fmt.Sprintf("certificate-%d", w.made)
}

func (w *world) check(t *testing.T, what string, made int) {
	t.Helper()
	if w.made > made || len(w.active) != 1 || len(w.things) != 1 {
		t.Errorf("%s: %d certificates made, %d active, %d things", what, w.made, len(w.active), len(w.things))
	}
	if w.tried == 0 {
		t.Errorf("%s: the claim went before the certificate was tried", what)
	}
	if got := w.active[w.things["gw-17"]]; got == "" || got != w.card[dir+"/device.pem"] {
		t.Errorf("%s: the card does not have the certificate that is active", what)
	}
	if _, err := tls.X509KeyPair([]byte(w.card[dir+"/device.pem"]), []byte(w.card[dir+"/device.key"])); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	if text := w.card[dir+"/enrolled.toml"]; !strings.Contains(text, "client_id = \"gw-17\"\n") || !strings.Contains(text, "topic_prefix = \"plant7\"\n") {
		t.Errorf("%s: enrolled.toml is %q", what, text)
	}
	if w.card[claimKey]+w.card[claimCert] != "" {
		t.Errorf("%s: the claim is still there", what)
	}
	if strings.Contains(w.card[dir+"/state.json"], "token of") {
		t.Errorf("%s: the token is still there", what)
	}
}

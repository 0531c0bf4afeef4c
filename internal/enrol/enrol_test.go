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
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/fieldgate/fieldgate/config"
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

// TestPowerCuts cuts the power, and kills the program, at each of its steps, and again at each step
// of the start after that. One certificate is active and one thing is registered in the end; a
// second certificate is made only if the first one was signed and is not on the card.
func TestPowerCuts(t *testing.T) {
	whole := newWorld()
	whole.start(t, 0)
	whole.check(t, "without a cut", 1)
	total := whole.ops
	if total < 25 {
		t.Fatalf("only %d steps", total)
	}
	runs := 0
	for mode := range 3 { // what was not synced is lost; is there; is torn
		for first := 1; first <= total; first++ {
			for second := 0; second <= total; second++ {
				w := newWorld()
				made := 1
				for _, at := range []int{first, second} {
					if at == 0 {
						continue
					}
					before := w.made
					w.torn = mode == 2
					cut := w.start(t, at)
					w.boot(mode == 1)
					if cut && w.made > before && !w.signedOnCard() {
						made++
					}
				}
				w.start(t, 0)
				w.boot(false)
				w.check(t, fmt.Sprintf("mode %d, cuts at %d and %d of %d", mode, first, second, total), made)
				if runs++; t.Failed() {
					return
				}
			}
		}
	}
	t.Logf("%d steps, %d runs", total, runs)
}

// TestTokenLivedOut: the first certificate is given up after an hour, whether the clock says that
// or the platform, and the log names it if it may be active.
func TestTokenLivedOut(t *testing.T) {
	for _, v := range []struct {
		name   string
		asked  bool // before the power was cut
		change func(w *world, s *state)
		says   string
	}{
		{"by the clock of this boot", false, func(_ *world, s *state) { s.SignedAt.Up = -time.Hour }, "the platform deletes it"},
		{"by the wall clock", false, func(_ *world, s *state) { s.SignedAt.Boot, s.SignedAt.Wall = "before", time.Now().Add(-time.Hour) }, "the platform deletes it"},
		{"by the platform, on a board without a clock", false, func(w *world, s *state) {
			s.SignedAt.Boot, s.SignedAt.Wall = "before", time.Now().Add(time.Hour)
			clear(w.tokens)
		}, "the platform deletes it"},
		{"after it was used", true, func(*world, *state) {}, "deactivate and delete it there"},
	} {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld()
			w.oneUse = true
			asked := false
			for at := 1; !asked; at++ { // until the power is cut between the signature and the answer to the registration
				w = newWorld()
				w.oneUse = true
				w.start(t, at)
				w.boot(true)
				asked = strings.Contains(w.card[dir+"/state.json"], `"signed"`) && (!v.asked || w.registered == 1)
			}
			var s state
			if err := json.Unmarshal([]byte(w.card[dir+"/state.json"]), &s); err != nil {
				t.Fatal(err)
			}
			v.change(w, &s)
			text, _ := json.Marshal(s)
			w.card[dir+"/state.json"], w.cache[dir+"/state.json"] = string(text), string(text)
			var log strings.Builder
			if err := w.enrolment(slog.New(slog.NewTextHandler(&log, nil))).Attempt(t.Context()); err != nil {
				t.Fatal(err)
			}
			if w.made != 2 || len(w.things) != 1 || w.things["gw-17"] != "certificate-2" || !strings.Contains(log.String(), v.says) || !strings.Contains(log.String(), "certificate-1") {
				t.Errorf("%d certificates, things %v\n%s", w.made, w.things, &log)
			}
		})
	}
}

// TestFaults: each ends the attempt with one sentence and the remedy, and the next one goes on
// where it was, without a second certificate.
func TestFaults(t *testing.T) {
	rejected := &Fault{What: "rejected", Remedy: "correct it"}
	for _, v := range []struct {
		name   string
		break_ func(w *world)
		mend   func(w *world)
		says   string
		passes bool
		made   int
	}{
		{"certificate refused", func(w *world) { w.trouble = []error{rejected} }, nil, "rejected: correct it", false, 1},
		{"no room before", func(w *world) { w.failAt["create room"] = syscall.ENOSPC }, func(w *world) { clear(w.failAt) }, "make room (df -h /state), it goes on by itself", true, 1},
		{"no room after the signature", func(w *world) { w.failAt["create state.json.new"] = syscall.ENOSPC }, func(w *world) { clear(w.failAt) }, "make room", true, 1},
		{"card read-only", func(w *world) { w.failAt["create device.key.new"] = syscall.EROFS }, func(w *world) { clear(w.failAt) }, "check the card", true, 1},
		{"registration refused", func(w *world) { w.trouble = []error{nil, rejected} }, nil, "rejected: correct it", false, 1},
		{"no room after the registration", func(w *world) { w.fills = true }, func(w *world) { clear(w.failAt) }, "make room", true, 1},
		{"what the template gives is wrong", func(w *world) { w.prefix = "bad/#" }, func(w *world) { w.prefix = "plant7" }, "correct the template's deviceConfiguration", false, 1},
		{"key half written", func(w *world) { w.cache[dir+"/device.key"] = "-----BEGIN PRIV" }, nil, "", false, 1},
		{"state half written", func(w *world) { w.cache[dir+"/state.json"] = `{"step":"sig` }, func(w *world) { delete(w.cache, dir+"/state.json") }, "sudo rm -r /state/enrolled", false, 1},
		{"state of another version", func(w *world) { w.cache[dir+"/state.json"] = `{"step":"later"}` }, func(w *world) { delete(w.cache, dir+"/state.json") }, `there is no step "later"`, false, 1},
		{"claim that may not be deleted", func(w *world) { w.failAt["remove claim.key"] = syscall.EROFS }, nil, "", false, 1},
	} {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld()
			v.break_(w)
			e := w.enrolment(slog.New(slog.DiscardHandler))
			err := e.Attempt(t.Context())
			if v.says == "" {
				if err != nil {
					t.Fatal(err)
				}
			} else if err == nil || !strings.Contains(err.Error(), v.says) || Passes(err) != v.passes {
				t.Fatalf("want %q, got %v (passes: %v)", v.says, err, Passes(err))
			}
			if strings.HasPrefix(v.name, "no room after") { // what exists at the platform is kept first
				registered := w.registered
				if err := e.Attempt(t.Context()); err == nil || w.registered != registered || w.tried != 0 {
					t.Fatalf("with a full card still: %v, registered %d, tried %d", err, w.registered, w.tried)
				}
			}
			if v.mend != nil {
				v.mend(w)
			}
			if err := e.Attempt(t.Context()); err != nil {
				t.Fatal(err)
			}
			if w.made != v.made || len(w.active) != 1 || w.card[claimCert] != "" {
				t.Errorf("%d certificates, %d active, claim %q", w.made, len(w.active), w.card[claimCert])
			}
		})
	}
}

// TestLostKey: a key that is gone after its certificate was signed is not replaced.
func TestLostKey(t *testing.T) {
	w := newWorld()
	w.trouble = []error{nil, &Fault{What: "no"}}
	if err := w.enrolment(slog.New(slog.DiscardHandler)).Attempt(t.Context()); err == nil {
		t.Fatal("it was refused")
	}
	delete(w.cache, dir+"/device.key")
	delete(w.cache, dir+"/device.pem")
	err := w.enrolment(slog.New(slog.DiscardHandler)).Attempt(t.Context())
	if err == nil || !strings.Contains(err.Error(), "delete the gateway's certificate at the platform") || w.made != 1 {
		t.Errorf("%v, %d certificates", err, w.made)
	}
}

// TestRun tries again what passes soon, and what somebody has to mend seldom, and logs a change
// only.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		passes, stays := &Fault{What: "busy", Passes: true}, &Fault{What: "no template"}
		w.trouble = []error{passes, passes, passes, stays, stays, passes}
		var log strings.Builder
		begin := time.Now()
		if err := w.enrolment(slog.New(slog.NewTextHandler(&log, nil))).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		took := time.Since(begin)
		if took < 15*time.Minute || took > 31*time.Minute || strings.Count(log.String(), "not enrolled yet") != 3 || w.made != 1 {
			t.Errorf("after %v, %d certificates\n%s", took, w.made, &log)
		}
	})
}

func TestRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.cache[claimKey] = ""
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := w.enrolment(slog.New(slog.DiscardHandler)).Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// TestDisk: the files have the right modes, and only one may enrol at a time.
func TestDisk(t *testing.T) {
	w := newWorld()
	e := w.enrolment(slog.New(slog.DiscardHandler))
	e.cfg.Dir, e.cfg.FS, e.fs = filepath.Join(t.TempDir(), "enrolled"), nil, Disk{}
	claim := filepath.Join(t.TempDir(), "claim.key")
	if err := os.WriteFile(claim, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	e.cfg.Claim = []string{claim}
	e.cfg.Try = func(context.Context, string) error { return nil }
	second := New(e.cfg)
	if finished, err := second.Finish(); finished || err != nil {
		t.Errorf("before the first attempt: %v, %v", finished, err)
	}
	if err := e.open(); err != nil {
		t.Fatal(err)
	}
	if err := second.Attempt(t.Context()); !errors.Is(err, ErrBusy) {
		t.Errorf("a second one: %v", err)
	}
	if err := e.Attempt(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.Close()
	modes := map[string]fs.FileMode{}
	_ = filepath.Walk(e.cfg.Dir, func(name string, info fs.FileInfo, err error) error {
		if err == nil {
			modes[filepath.Base(name)] = info.Mode()
		}
		return err
	})
	want := map[string]fs.FileMode{"enrolled": fs.ModeDir | 0o700, "device.key": 0o600, "device.pem": 0o600, "enrolled.toml": 0o600, "state.json": 0o600, "lock": 0o600}
	if !maps.Equal(modes, want) {
		t.Errorf("got %v", modes)
	}
	if _, err := os.Stat(claim); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the claim is still there")
	}
	if finished, err := second.Finish(); !finished || err != nil {
		t.Errorf("it is not finished: %v", err)
	}
	// A power cut before the claim was deleted, and a file that somebody has deleted.
	for _, gone := range []string{claim, filepath.Join(e.cfg.Dir, config.EnrolledFile)} {
		state := filepath.Join(e.cfg.Dir, stateFile)
		text, err := os.ReadFile(state)
		if err == nil && gone == claim {
			err = errors.Join(os.WriteFile(claim, []byte("x"), 0o600), os.WriteFile(state, []byte(strings.Replace(string(text), `"done"`, `"proven"`, 1)), 0o600))
		} else if err == nil {
			err = os.Remove(gone)
		}
		if err != nil {
			t.Fatal(err)
		}
		second.Close()
		second = New(e.cfg)
		if finished, err := second.Finish(); !finished || err != nil || second.state.Step != done {
			t.Errorf("%s: finished %v, %v", gone, finished, err)
		}
	}
	if _, err := os.Stat(claim); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the claim is there again")
	}
	if _, err := os.Stat(filepath.Join(e.cfg.Dir, config.EnrolledFile)); err != nil {
		t.Error(err)
	}
	second.Close()
}

// TestClaimThatStays: what the service may not delete is named with the remedy, then and later.
func TestClaimThatStays(t *testing.T) {
	w := newWorld()
	w.failAt["remove claim.key"] = syscall.EROFS
	var log strings.Builder
	if err := w.enrolment(slog.New(slog.NewTextHandler(&log, nil))).Attempt(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), `remedy="sudo rm /etc/claim.key"`) || strings.Contains(log.String(), "sudo rm /etc/claim.pem") || w.card[claimKey] == "" || w.card[claimCert] != "" {
		t.Errorf("key %q, certificate %q\n%s", w.card[claimKey], w.card[claimCert], &log)
	}
	key := filepath.Join(t.TempDir(), "claim.key")
	if err := os.WriteFile(key, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := &config.Config{Enrol: config.Enrol{ClaimCert: "/nowhere", ClaimKey: key, Template: "t"}}
	if left := Leftover(c); left != nil {
		t.Errorf("before it is enrolled: %q", left)
	}
	c.MQTT.TLS.CertFile = "/device.pem"
	if left := Leftover(c); len(left) != 1 || !strings.HasSuffix(left[0], ": sudo rm "+key) {
		t.Errorf("got %q", left)
	}
}

func TestFragmentIsTOML(t *testing.T) {
	e := New(Config{Dir: dir})
	const prefix = "a\"b\\c\n${HOME}"
	text := e.fragment(&state{Thing: `gw:1`, Configuration: map[string]string{"topic_prefix": prefix}})
	var got struct {
		Gateway struct {
			TopicPrefix string `toml:"topic_prefix"`
		} `toml:"gateway"`
	}
	if err := toml.Unmarshal([]byte(text), &got); err != nil || strings.ReplaceAll(got.Gateway.TopicPrefix, "$$", "$") != prefix {
		t.Errorf("%q, %v", got.Gateway.TopicPrefix, err)
	}
	if strings.Contains(text, "\nid = ") {
		t.Errorf("a thing's name that cannot be gateway.id became one:\n%s", text)
	}
}

func TestSerial(t *testing.T) {
	file := filepath.Join(t.TempDir(), "serial-number")
	mac := func(s string) []net.Interface {
		a, err := net.ParseMAC(s)
		if err != nil {
			t.Fatal(err)
		}
		return []net.Interface{{Flags: net.FlagLoopback}, {HardwareAddr: a}}
	}
	for _, v := range []struct{ text, mac, want string }{
		{"10000000abcd\x00", "b8:27:eb:01:02:aa", "10000000abcd"},
		{"", "b8:27:eb:01:02:aa", "b827eb0102aa"},
		{"0000000000000000\x00", "b8:27:eb:01:02:aa", "b827eb0102aa"},
		{"To be filled\x00", "02:42:ac:11:00:02", "machine"},
	} {
		if err := os.WriteFile(file, []byte(v.text), 0o600); err != nil {
			t.Fatal(err)
		}
		b := Board{file, func() ([]net.Interface, error) { return mac(v.mac), nil }, "machine"}
		if got := b.Serial(); got != v.want {
			t.Errorf("%+v: got %q", v, got)
		}
	}
}

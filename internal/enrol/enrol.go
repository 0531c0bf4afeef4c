package enrol

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/config"
)

const (
	tokenLife = 55 * time.Minute // of an hour: a request has to arrive in time
	room      = 32 << 10         // bytes that must fit on the card before a certificate is asked for

	pauseMin   = time.Second
	pauseMax   = 10 * time.Minute
	pauseFault = 15 * time.Minute // after a fault that somebody has to mend
)

// A Session is a connection to the platform with the claim. Its errors are Faults.
type Session interface {
	// Sign has the platform sign a certificate request in PEM form.
	Sign(ctx context.Context, csr string) (Signed, error)
	// Register makes the certificate of a token valid, and the gateway known. It may be asked again
	// with the same token.
	Register(ctx context.Context, token string, parameters map[string]string) (Registered, error)
	Close()
}

// Signed is a certificate that is not valid yet.
type Signed struct{ ID, Certificate, Token string }

// Registered is what the platform knows the gateway as.
type Registered struct {
	Thing         string
	Configuration map[string]string // what the template gives it
}

// Config is what an Enrolment is made of.
type Config struct {
	Dir        string // its own, inside of the state directory
	Claim      []string
	CommonName string
	Parameters map[string]string
	// Connect connects with the claim.
	Connect func(ctx context.Context) (Session, error)
	// Check parses the configuration with this text of enrolled.toml.
	Check func(text string) error
	// Try connects as the gateway will with this text of enrolled.toml, and leaves.
	Try func(ctx context.Context, text string) error
	FS  FS // nil: Disk
	// Boot and Up are the kernel's boot id and the time since power-up.
	Boot string
	Up   func() time.Duration
	Log  *slog.Logger
}

// An Enrolment enrols one gateway. Only one goroutine may use it.
type Enrolment struct {
	cfg     Config
	fs      FS
	state   state
	loaded  bool
	unsaved bool
	session Session
	release func()
}

// New makes an Enrolment. Close ends it.
func New(c Config) *Enrolment {
	e := &Enrolment{cfg: c, fs: c.FS}
	if e.fs == nil {
		e.fs = Disk{}
	}
	return e
}

// Dir is where enrolment keeps its files, in a state directory.
func Dir(stateDir string) string { return filepath.Join(stateDir, "enrolled") }

// Close gives up the lock.
func (e *Enrolment) Close() {
	if e.release != nil {
		e.release()
		e.release = nil
	}
}

// rest gives up what an attempt needs, so that somebody else may try. What could not be saved is
// nobody else's.
func (e *Enrolment) rest() {
	e.leave()
	if !e.unsaved {
		e.loaded = false
		e.Close()
	}
}

func (e *Enrolment) leave() {
	if e.session != nil {
		e.session.Close()
		e.session = nil
	}
}

// Run attempts until the gateway is enrolled, or ctx ends.
func (e *Enrolment) Run(ctx context.Context) error {
	last := ""
	for failed := 0; ; {
		err := e.Attempt(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		failed++
		wait := pause(failed, err)
		if text := err.Error(); text != last {
			e.cfg.Log.Warn("the gateway is not enrolled yet; its readings are kept", "err", text, "again_in", wait.Round(time.Second))
			last = text
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// pause returns how long to wait after a number of failed attempts in a row.
func pause(failed int, err error) time.Duration {
	if !Passes(err) {
		return pauseFault/2 + rand.N(pauseFault/2)
	}
	d := min(pauseMin<<min(failed-1, 20), pauseMax)
	return d/2 + rand.N(d/2)
}

// Attempt goes as far as it can without waiting for a fault to pass. nil means that the gateway is
// enrolled.
func (e *Enrolment) Attempt(ctx context.Context) error {
	defer e.rest()
	if err := e.open(); err != nil {
		return err
	}
	again := false // a certificate whose token was over was given up
	for e.state.Step != done {
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		switch e.state.Step {
		case "":
			err = e.sign(ctx)
		case signed:
			err = e.register(ctx)
			if f, ok := errors.AsType[*Fault](err); ok && f.TokenOver && !again {
				again = true
				err = e.giveUp()
			}
		case registered:
			err = e.prove(ctx)
		case proven:
			err = e.finish()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Finish does what is left to do without the platform; it reports whether the gateway is enrolled.
// It asks nobody, and is for a start of the gateway.
func (e *Enrolment) Finish() (bool, error) {
	if _, err := e.fs.Read(e.path(stateFile)); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	defer e.rest()
	if err := e.open(); err != nil {
		return false, err
	}
	if e.state.Step == done {
		if _, err := e.fs.Read(e.path(config.EnrolledFile)); err == nil {
			return true, nil
		}
	} else if e.state.Step != proven {
		return false, nil
	}
	return true, e.finish()
}

// Thing returns what the platform knows the gateway as, "" if it does not yet.
func (e *Enrolment) Thing() string { return e.state.Thing }

// CertificateID returns the id of the certificate, "" if there is none yet.
func (e *Enrolment) CertificateID() string { return e.state.CertificateID }

// open takes the lock and finds out how far enrolment was.
func (e *Enrolment) open() error {
	if !e.loaded {
		if err := e.fs.Directory(e.cfg.Dir); err != nil {
			return e.notWritten(err)
		}
	}
	if _, disk := e.fs.(Disk); disk && e.release == nil {
		release, err := lock(e.path(lockFile))
		if err != nil && !errors.Is(err, ErrBusy) {
			err = e.notWritten(err)
		}
		if err != nil {
			return err
		}
		e.release = release
	}
	if e.unsaved {
		return e.save(e.state)
	}
	if e.loaded {
		return nil
	}
	err := e.load()
	e.loaded = err == nil
	return err
}

// connect connects with the claim, unless there is a connection.
func (e *Enrolment) connect(ctx context.Context) error {
	if e.session != nil {
		return nil
	}
	s, err := e.cfg.Connect(ctx)
	if err != nil {
		return err
	}
	e.session = s
	return nil
}

// sign has a certificate signed for the key of this board.
func (e *Enrolment) sign(ctx context.Context) error {
	key, err := e.key()
	if err != nil {
		return err
	}
	csr, err := request(key, e.cfg.CommonName)
	if err != nil {
		return err
	}
	if err := e.connect(ctx); err != nil {
		return err
	}
	// What does not fit is found out before the platform makes something that has to be kept.
	if err := e.fs.Create(e.path(roomFile), make([]byte, room)); err != nil {
		return e.notWritten(err)
	}
	if err := e.fs.Remove(e.path(roomFile)); err != nil {
		return e.notWritten(err)
	}
	s, err := e.session.Sign(ctx, csr)
	if err != nil {
		return err
	}
	if err := belongs(s.Certificate, key); err != nil {
		return &Fault{What: "the platform's certificate cannot be used: " + err.Error(), Remedy: "nothing was kept; it is tried again", Passes: true, Err: err}
	}
	now := e.now()
	if err := e.save(state{Step: signed, CertificateID: s.ID, Certificate: s.Certificate, Token: s.Token, SignedAt: &now}); err != nil {
		return err
	}
	e.cfg.Log.Info("the platform signed a certificate", "certificate", s.ID)
	return nil
}

// register makes the certificate valid.
func (e *Enrolment) register(ctx context.Context) error {
	if age, known := e.state.SignedAt.since(e.now()); known && age > tokenLife {
		return &Fault{What: fmt.Sprintf("the certificate was signed %s ago and not registered within an hour", config.DurationText(age.Round(time.Second))), TokenOver: true, Passes: true}
	}
	if err := e.certificate(); err != nil {
		return err
	}
	if err := e.connect(ctx); err != nil {
		return err
	}
	s, first := e.state, !e.state.Asked
	if first {
		s.Asked = true
		if err := e.save(s); err != nil {
			return err
		}
	}
	r, err := e.session.Register(ctx, s.Token, e.cfg.Parameters)
	if err != nil {
		if f, ok := errors.AsType[*Fault](err); ok && f.TokenOver && first {
			e.state.Asked = false // it was certainly not registered
		}
		return err
	}
	s.Step, s.Thing, s.Configuration, s.Token, s.SignedAt = registered, r.Thing, r.Configuration, "", nil
	if err := e.cfg.Check(e.fragment(&s)); err != nil {
		return &Fault{What: fmt.Sprintf("the configuration is not valid with what the template gives the gateway: %v", err), Remedy: "correct the template's deviceConfiguration, or the file", Err: err}
	}
	if err := e.save(s); err != nil {
		return err
	}
	e.cfg.Log.Info("the platform registered this gateway", "thing", r.Thing, "certificate", s.CertificateID)
	return nil
}

// giveUp forgets a certificate that cannot be registered any more.
func (e *Enrolment) giveUp() error {
	if e.state.Asked {
		e.cfg.Log.Warn("a certificate whose registration was not answered within an hour is given up; if it is active at the platform, deactivate and delete it there", "certificate", e.state.CertificateID)
	} else {
		e.cfg.Log.Info("a certificate that was not registered within an hour is given up; the platform deletes it", "certificate", e.state.CertificateID)
	}
	// Nothing is written: until the next one is signed, the old state is given up again.
	e.state = state{}
	return nil
}

// prove connects with the new identity.
func (e *Enrolment) prove(ctx context.Context) error {
	e.leave()
	if err := e.certificate(); err != nil {
		return err
	}
	if err := e.cfg.Try(ctx, e.fragment(&e.state)); err != nil {
		return &Fault{What: fmt.Sprintf("the thing %s is registered, and its certificate does not connect yet: %v", e.state.Thing, err), Passes: true, Err: err,
			Remedy: fmt.Sprintf("if that stays so, check that certificate %.12s is active, and that its policy allows iot:Connect for this client id", e.state.CertificateID)}
	}
	s := e.state
	s.Step = proven
	return e.save(s)
}

// finish writes what the configuration gets, and deletes the claim.
func (e *Enrolment) finish() error {
	if err := e.certificate(); err != nil {
		return err
	}
	if err := e.replace(config.EnrolledFile, []byte(e.fragment(&e.state))); err != nil {
		return err
	}
	for _, name := range e.cfg.Claim {
		err := e.fs.Remove(name)
		if err == nil {
			err = e.fs.Sync(filepath.Dir(name))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			e.cfg.Log.Warn("a file of the claim cannot be deleted by this user; it can enrol other boards until somebody deletes it", "err", err, "remedy", "sudo rm "+name)
		}
	}
	s := e.state
	s.Step = done
	if err := e.save(s); err != nil {
		return err
	}
	e.cfg.Log.Info("the gateway is enrolled", "thing", s.Thing)
	return nil
}

// certificate writes the certificate beside the key, if it is not there.
func (e *Enrolment) certificate() error {
	if have, err := e.fs.Read(e.path(certificateFile)); err == nil && string(have) == e.state.Certificate {
		return nil
	}
	key, err := e.key()
	if err != nil {
		return err
	}
	if err := belongs(e.state.Certificate, key); err != nil {
		return &Fault{What: fmt.Sprintf("%s is not the key of the certificate that was signed: %v", e.path(keyFile), err), Err: err,
			Remedy: fmt.Sprintf("put it back, or delete certificate %.12s at the platform, then sudo rm -r %s and enrol again", e.state.CertificateID, e.cfg.Dir)}
	}
	return e.replace(certificateFile, []byte(e.state.Certificate))
}

func (e *Enrolment) now() moment { return moment{time.Now().UTC(), e.cfg.Boot, e.cfg.Up()} }

// fragment is enrolled.toml.
func (e *Enrolment) fragment(s *state) string {
	var b strings.Builder
	b.WriteString("# Written when this gateway was enrolled. The configuration's own files override it.\n")
	id, prefix := gatewayID(s.Thing), s.Configuration["topic_prefix"]
	if id != "" || prefix != "" {
		b.WriteString("\n[gateway]\n")
	}
	if id != "" {
		fmt.Fprintf(&b, "id = %s\n", quote(id))
	}
	if prefix != "" {
		fmt.Fprintf(&b, "topic_prefix = %s\n", quote(prefix))
	}
	fmt.Fprintf(&b, "\n[cloud]\nthing = %s\n\n[mqtt]\nclient_id = %s\n\n[mqtt.tls]\ncert_file = %s\nkey_file = %s\n",
		quote(s.Thing), quote(s.Thing), quote(e.path(certificateFile)), quote(e.path(keyFile)))
	return b.String()
}

// gatewayID returns the thing's name as gateway.id; "" if it cannot be one.
func gatewayID(thing string) string {
	if thing == "" || len(thing) > 64 || strings.Contains(thing, ":") {
		return ""
	}
	return thing
}

// quote returns a text as TOML has it, with the dollar sign that the configuration replaces.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '$':
			b.WriteString("$$")
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// Leftover says which files of the claim are still on the board of a gateway that is enrolled, and
// what to do.
func Leftover(c *config.Config) []string {
	if c.Enrol.Template == "" || c.ToEnrol() {
		return nil
	}
	var left []string
	for _, name := range []string{c.Enrol.ClaimCert, c.Enrol.ClaimKey} {
		if _, err := (Disk{}).Read(name); err == nil || errors.Is(err, fs.ErrPermission) {
			left = append(left, name)
		}
	}
	if len(left) == 0 {
		return nil
	}
	return []string{"the gateway is enrolled, and the claim, which can enrol other boards, is still here: sudo rm " + strings.Join(left, " ")}
}

package enrol

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/fieldgate/fieldgate/config"
)

const (
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

func (e *Enrolment) now() moment { return moment{time.Now().UTC(), e.cfg.Boot, e.cfg.Up()} }

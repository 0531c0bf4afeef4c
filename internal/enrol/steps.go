package enrol

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/fieldgate/fieldgate/config"
)

const (
	tokenLife = 55 * time.Minute // of an hour: a request has to arrive in time
	room      = 32 << 10         // bytes that must fit on the card before a certificate is asked for

	// What is kept of an answer, in bytes, so that the state can be read again.
	maxText  = 8 << 10 // of an id or a token
	maxChain = 64 << 10
)

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
	if s.Certificate, err = chain(s.Certificate, key); err == nil && max(len(s.ID), len(s.Token)) > maxText {
		err = fmt.Errorf("its id or its token has more than %d bytes", maxText)
	}
	if err != nil {
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
	s.Step, s.Thing, s.Configuration, s.Token, s.SignedAt = registered, r.Thing, taken(r.Configuration), "", nil
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
	if _, err := chain(e.state.Certificate, key); err != nil {
		return &Fault{What: fmt.Sprintf("%s is not the key of the certificate that was signed: %v", e.path(keyFile), err), Err: err,
			Remedy: fmt.Sprintf("put it back, or delete certificate %.12s at the platform, then sudo rm -r %s and enrol again", e.state.CertificateID, e.cfg.Dir)}
	}
	return e.replace(certificateFile, []byte(e.state.Certificate))
}

package enrol

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Files of the directory.
const (
	keyFile         = "device.key"
	certificateFile = "device.pem"
	stateFile       = "state.json"
	lockFile        = "lock"
	roomFile        = "room"
)

// A step is how far enrolment is; the package comment has them.
type step string

const (
	signed     step = "signed"
	registered step = "registered"
	proven     step = "proven"
	done       step = "done"
)

// state is state.json.
type state struct {
	Step          step              `json:"step"`
	CertificateID string            `json:"certificate_id"`
	Certificate   string            `json:"certificate"`         // PEM
	Token         string            `json:"token,omitempty"`     // of signed
	SignedAt      *moment           `json:"signed_at,omitempty"` // of signed
	Asked         bool              `json:"asked,omitempty"`     // the registration was sent
	Thing         string            `json:"thing,omitempty"`     // from registered on
	Configuration map[string]string `json:"configuration,omitempty"`
}

// A moment is a time by both clocks: the wall clock of a board may be set later, and the other one
// begins at power-up.
type moment struct {
	Wall time.Time     `json:"wall"`
	Boot string        `json:"boot"` // of the kernel
	Up   time.Duration `json:"up"`
}

// since returns how long ago m was; false if the clocks do not say.
func (m *moment) since(now moment) (time.Duration, bool) {
	if m == nil {
		return 0, false
	}
	if m.Boot == now.Boot {
		return now.Up - m.Up, true
	}
	d := now.Wall.Sub(m.Wall)
	return d, d >= 0
}

// load reads how far enrolment was.
func (e *Enrolment) load() error {
	text, err := e.fs.Read(e.path(stateFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.state = state{}
		return nil
	case err == nil:
		err = json.Unmarshal(text, &e.state)
	}
	if err == nil {
		switch e.state.Step {
		case signed, registered, proven, done:
			return nil
		}
		err = fmt.Errorf("there is no step %q", e.state.Step)
	}
	return &Fault{What: fmt.Sprintf("how far enrolment was cannot be read: %s: %v", e.path(stateFile), err), Err: err,
		Remedy: "if a thing of this gateway is there at the platform, delete its certificate, then sudo rm -r " + e.cfg.Dir + " and enrol again"}
}

// save makes the state durable before anything else is done. What could not be saved is kept, and
// saved at the next attempt: the certificate in it exists at the platform.
func (e *Enrolment) save(s state) error {
	e.state, e.unsaved = s, true
	text, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		panic(err) // a struct of strings
	}
	if err := e.replace(stateFile, append(text, '\n')); err != nil {
		return err
	}
	e.unsaved = false
	return nil
}

package setup

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/scan"
)

// Answers are those that were given before anybody was asked: the command's flags. "" and nil are
// none.
type Answers struct {
	ID          string
	Broker      string // a URL, a host, or None
	Username    *string
	Password    *string
	CAFile      string
	Fingerprint string // SHA-256 of the certificate to trust
	ServerName  string
	Modbus      []string // lines and devices in the network to look at
	Identify    bool     // chips on I2C may be asked who they are
	NoScan      bool     // no sensors but the board
	NoTest      bool     // neither broker nor sensors are tried
	Force       bool     // a configuration that is there gives way
}

// None is a broker that there is not yet.
const None = "none"

// Config is what Run works with.
type Config struct {
	File      string // of the configuration, an absolute path
	Answers   Answers
	Ask       Asker
	Catalogue config.Catalogue
	Buses     drivers.Buses
	// Scan looks what is attached.
	Scan  func(ctx context.Context, identify bool) *scan.Found
	I2C   bool   // this machine has an I2C bus
	NoI2C string // what to do if it has none
	// Dial makes a connection to the first broker of a configuration, and closes it. TLS is as cfg
	// says.
	Dial func(ctx context.Context, c *config.Config, cfg *tls.Config) error
	// Connect connects as the gateway of a configuration would. detail says how that went.
	Connect func(ctx context.Context, c *config.Config) (detail string, err error)
	// Unknown is why it is not known whether a gateway runs: then nothing is tried.
	Unknown error
	// Group is that of the service, which may read the files; nil: this user alone.
	Group *int
}

// A Result is what Run has done: fieldgate init --json.
type Result struct {
	File         string   `json:"file"`
	PasswordFile string   `json:"password_file,omitempty"`
	CAFile       string   `json:"ca_file,omitempty"`
	Kept         []string `json:"kept,omitempty"` // where files are now that gave way
	Gateway      string   `json:"gateway"`
	Broker       string   `json:"broker,omitempty"`       // "" if there is none yet
	BrokerTest   string   `json:"broker_test,omitempty"`  // how the connection went
	BrokerError  string   `json:"broker_error,omitempty"` // why it did not, and what to do
	Sensors      []Sensor `json:"sensors"`
	Left         []Sensor `json:"left_out,omitempty"` // that were found and are not in the configuration
}

// A Sensor is one of a Result.
type Sensor struct {
	Name    string `json:"name"`
	Driver  string `json:"driver"`
	Bus     string `json:"bus,omitempty"`
	Reading string `json:"reading,omitempty"` // of the test
	Error   string `json:"error,omitempty"`   // of the test
}

// A session is one run.
type session struct {
	Config
	draft  draft
	stage  *stage
	result Result

	loggedIn  bool   // user name and password of the draft are settled
	confirmed string // fingerprint of the certificate that somebody trusts
}

// Run asks, tries, and writes. Unless it returns nil nothing has changed.
func Run(ctx context.Context, c Config) (*Result, error) {
	s := &session{Config: c}
	stage, err := newStage(c.File, c.Answers.Force, c.Group)
	if err != nil {
		return nil, err
	}
	s.stage = stage
	defer stage.remove()
	if c.Unknown != nil && !c.Answers.NoTest {
		return nil, fmt.Errorf("%w (--no-test makes the configuration all the same)", c.Unknown)
	}
	s.Ask.Say(fmt.Sprintf("This makes %s. Nothing is changed before the end; Ctrl-C leaves.", c.File))
	for _, step := range []func(context.Context) error{s.gateway, s.broker, s.sensors, s.write} {
		if err := step(ctx); err != nil {
			return nil, s.explain(ctx, err)
		}
	}
	return &s.result, nil
}

// explain says that nothing has changed to whoever ended it.
func (s *session) explain(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted: nothing was changed")
	case errors.Is(err, ErrEnded):
		return fmt.Errorf("%w: nothing was changed", err)
	}
	return err
}

// gateway settles the gateway's name.
func (s *session) gateway(ctx context.Context) error {
	c, err := s.check(draft{})
	if err != nil {
		return err
	}
	s.draft.id = s.Answers.ID
	for {
		asked := s.draft.id == ""
		if asked {
			if s.draft.id, err = s.Ask.Ask(ctx, Question{Text: "Name of this gateway, as it stands in topics", Default: c.Gateway.ID, Flag: "--id"}); err != nil {
				return err
			}
		}
		if _, err = s.check(s.draft); err == nil {
			return nil
		}
		if err = s.again(asked, "--id", err); err != nil {
			return err
		}
		s.draft.id = ""
	}
}

// again says what is wrong with an answer, so that it can be asked for again. It returns the error
// if nobody is asked.
func (s *session) again(asked bool, flag string, err error) error {
	if !asked || !s.Ask.Patient() {
		return fmt.Errorf("%s: %w", flag, err)
	}
	s.Ask.Say("  " + sentence(err.Error()))
	return nil
}

// check returns the configuration that a draft would be, with the files that are read beside it.
func (s *session) check(d draft) (*config.Config, error) {
	return s.parse(d.render(s.File, s.stage.path(passwordName), s.stage.path(caName)))
}

// parse checks a text as the configuration. Of several mistakes it returns the first, without its
// place in a file that nobody has seen.
func (s *session) parse(text string) (*config.Config, error) {
	sources, err := config.SourcesWith(s.File, text)
	if err != nil {
		return nil, &fileError{err}
	}
	c, err := config.Parse(sources, s.Catalogue)
	var problems config.Problems
	if errors.As(err, &problems) {
		p := problems[0]
		if p.File == s.File {
			return nil, errors.New(p.Msg)
		}
		return nil, errors.New(p.String())
	}
	return c, err
}

// sentence begins with a capital letter and ends with a full stop.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	if first := text[:1]; len(strings.Fields(text)[0]) > 1 && !strings.ContainsAny(strings.Fields(text)[0], "./:_-") {
		text = strings.ToUpper(first) + text[1:]
	}
	if strings.HasSuffix(text, ".") || strings.HasSuffix(text, "?") {
		return text
	}
	return text + "."
}

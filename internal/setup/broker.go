package setup

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// broker settles how the broker is reached, and tries it.
func (s *session) broker(ctx context.Context) error {
	given := s.Answers.Broker
	for usual := ""; ; {
		answer := given
		if answer == "" {
			q := Question{Text: "Broker, such as broker.example.com or mqtt://192.168.1.5:1883", Default: usual, Flag: "--broker", Needed: true}
			if usual == "" {
				q.Default, q.Choice = None, "none yet"
			}
			var err error
			if answer, err = s.Ask.Ask(ctx, q); err != nil {
				return err
			}
		}
		if answer = strings.TrimSpace(answer); answer == None {
			s.draft.url, s.draft.username, s.draft.password, s.draft.ca, s.draft.serverName = "", "", nil, nil, ""
			return nil
		}
		s.draft.url = completed(answer)
		if s.draft.url != answer && s.Ask.Patient() {
			how := "with TLS; mqtt://HOST is without"
			if strings.HasPrefix(s.draft.url, "mqtt://") {
				how = "without TLS; mqtts://HOST is with"
			}
			s.Ask.Say(fmt.Sprintf("  That is %s, %s.", s.draft.url, how))
		}
		keep, err := s.tryBroker(ctx)
		if err == nil && keep {
			s.result.Broker = s.draft.url
			return nil
		}
		if err != nil {
			return err
		}
		given, usual = "", s.draft.url
	}
}

// completed makes a URL of what people call a broker: TLS is what a host means that says nothing
// else.
func completed(answer string) string {
	if strings.Contains(answer, "://") {
		return answer
	}
	_, port, err := net.SplitHostPort(answer)
	switch {
	case err != nil:
		return "mqtts://" + net.JoinHostPort(strings.Trim(answer, "[]"), "8883")
	case port == "1883":
		return "mqtt://" + answer
	}
	return "mqtts://" + answer
}

// tryBroker goes through the steps of a connection. A step that fails is said; keep reports whether
// the broker shall be written, all the same if need be. The error is for those who cannot be asked.
func (s *session) tryBroker(ctx context.Context) (keep bool, err error) {
	s.loggedIn, s.result.BrokerError = false, ""
	for _, step := range []func(context.Context) error{s.reach, s.login, s.connect} {
		err := step(ctx)
		switch {
		case err == nil:
			continue
		case ctx.Err() != nil || errors.As(err, new(*Missing)) || errors.Is(err, ErrEnded) || errors.As(err, new(*fileError)):
			return false, err
		case errors.As(err, new(*mistake)) && !s.Ask.Patient():
			return false, err
		case !s.Ask.Patient():
			return false, fmt.Errorf("%w (--no-test writes the configuration without trying)", err)
		}
		s.result.BrokerError = err.Error()
		s.Ask.Say("  " + sentence(err.Error()))
		s.Answers.Username, s.Answers.Password, s.Answers.CAFile, s.Answers.Fingerprint = nil, nil, "", ""
		if errors.As(err, new(*mistake)) { // it cannot be written
			return false, nil
		}
		again, err := s.yes(ctx, Question{Text: "Try again", Flag: "--no-test"}, true)
		if err != nil || again {
			return false, err
		}
		return true, s.login(ctx)
	}
	return true, nil
}

// A mistake is an answer with which there is no configuration.
type mistake struct{ error }

// reach connects as far as TLS, and settles whom to trust.
func (s *session) reach(ctx context.Context) error {
	d := &s.draft
	d.password, d.ca, d.caNote, d.serverName = nil, nil, "", s.Answers.ServerName
	c, err := s.check(draft{id: d.id, url: d.url, serverName: d.serverName})
	if err != nil {
		return &mistake{err}
	}
	u, err := url.Parse(d.url)
	if err != nil {
		return &mistake{err}
	}
	if s.Answers.NoTest {
		return s.untested()
	}
	s.Ask.Progress("connecting to " + d.url)
	ch, err := s.fetch(ctx, c)
	s.Ask.Progress("")
	if err != nil {
		return diagnosed(err)
	}
	if ch == nil {
		return nil
	}
	return s.trust(ctx, u, ch)
}

// untested settles what can be without a connection.
func (s *session) untested() (err error) {
	if s.Answers.Fingerprint != "" {
		return &mistake{errors.New("--trust-fingerprint needs a connection, which --no-test forbids: name the certificate's file with --ca-file")}
	}
	if s.Answers.CAFile != "" {
		s.draft.ca, _, err = readCA(s.Answers.CAFile)
	}
	return err
}

// login settles user name and password.
func (s *session) login(ctx context.Context) error {
	if s.loggedIn {
		return nil
	}
	d := &s.draft
	var err error
	if s.Answers.Username != nil {
		d.username = *s.Answers.Username
	} else {
		q := Question{Text: "User name", Default: d.username, Flag: "--username"}
		if q.Default == "" {
			q.Default = None
		}
		if d.username, err = s.Ask.Ask(ctx, q); err != nil {
			return err
		}
		if d.username = strings.TrimSpace(d.username); d.username == None {
			d.username = ""
		}
	}
	d.password = s.Answers.Password
	if d.username == "" && d.password != nil {
		return &mistake{errors.New("there is a password and no user name: give --username too")}
	}
	if d.username != "" && d.password == nil {
		password, err := s.Ask.Ask(ctx, Question{Text: "Password (it is not shown)", Flag: "--password-file", Secret: true})
		if err != nil {
			return err
		}
		if password != "" {
			d.password = &password
		}
	}
	if _, err := s.check(s.draft); err != nil {
		return &mistake{err}
	}
	s.loggedIn = true
	return nil
}

// connect tries the broker with everything that is known.
func (s *session) connect(ctx context.Context) error {
	if s.Answers.NoTest {
		return nil
	}
	if err := s.stage.secrets(&s.draft); err != nil {
		return err
	}
	c, err := s.check(s.draft)
	if err != nil {
		return &mistake{err}
	}
	s.Ask.Progress("connecting to " + s.draft.url + " as the gateway will")
	detail, err := s.Connect(ctx, c)
	s.Ask.Progress("")
	if err != nil {
		return err
	}
	s.result.BrokerTest = detail
	s.Ask.Say("  " + sentence(detail))
	return nil
}

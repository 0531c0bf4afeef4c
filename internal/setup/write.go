package setup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/config"
)

// write shows the configuration and makes the files.
func (s *session) write(ctx context.Context) error {
	d := &s.draft
	if err := s.stage.secrets(d); err != nil {
		return err
	}
	var changes []change
	now := time.Now()
	add := func(name, to string, keep bool) error {
		_, err := os.Lstat(to)
		c := change{from: s.stage.path(name), to: to, there: err == nil}
		if c.there && keep {
			if c.kept, err = aside(to, now); err != nil {
				return err
			}
			s.result.Kept = append(s.result.Kept, c.kept)
		}
		changes = append(changes, c)
		return nil
	}
	var err error
	if d.password != nil {
		text := *d.password + "\n"
		if s.result.PasswordFile, err = s.stage.place(passwordName, []byte(text)); err == nil {
			err = add(passwordName, s.result.PasswordFile, !same(s.result.PasswordFile, text))
		}
	}
	if err == nil && d.ca != nil {
		if s.result.CAFile, err = s.stage.place(caName, d.ca); err == nil {
			err = add(caName, s.result.CAFile, !same(s.result.CAFile, string(d.ca)))
		}
	}
	if err != nil {
		return err
	}
	text := d.render(s.File, s.result.PasswordFile, s.result.CAFile)
	c, err := s.parse(text)
	if err != nil {
		return err
	}
	if err := s.stage.put(s.stage.path(filepath.Base(s.File)), []byte(text), false); err != nil {
		return err
	}
	if err := add(filepath.Base(s.File), s.File, s.stage.aside); err != nil {
		return err
	}
	if s.Ask.Patient() {
		s.Ask.Say("")
		for line := range strings.Lines(text) {
			s.Ask.Say("  | " + strings.TrimSuffix(line, "\n"))
		}
		s.Ask.Say("")
	}
	yes, err := s.yes(ctx, Question{Text: "Write this to " + s.File, Flag: "--yes"}, true)
	if err != nil {
		return err
	}
	if !yes {
		return errors.New("nothing was changed")
	}
	s.result.File, s.result.Gateway = s.File, c.Gateway.ID
	return s.stage.commit(changes)
}

// same reports whether a file has this text.
func same(file, text string) bool {
	there, err := config.ReadFile(file, maxPEM)
	return err == nil && string(there) == text
}

package setup

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// A Question is what somebody is asked.
type Question struct {
	Text    string // without the mark at its end
	Default string // what an empty answer means
	Choice  string // shown instead of Default: "Y/n"
	Flag    string // of the command, which answers it
	Secret  bool   // the answer is not shown
	Needed  bool   // there is no default that could be taken unasked
}

// An Asker is whom setup talks to.
type Asker interface {
	// Ask returns the answer, or the default for an empty one. It ends with ctx.
	Ask(ctx context.Context, q Question) (string, error)
	// Say says a paragraph. What begins with two spaces belongs to what was said before.
	Say(text string)
	// Progress shows what is being done until something else is said; "" wipes it.
	Progress(text string)
	// Patient reports whether a mistake may be asked for again.
	Patient() bool
}

// Missing is the error of a question that nobody answers.
type Missing struct{ Flag string }

func (m *Missing) Error() string {
	return fmt.Sprintf("there is nobody to ask, and %s is missing (--yes takes what is proposed, where it can)", m.Flag)
}

// ErrEnded says that whoever was asked has gone.
var ErrEnded = errors.New("the answers have ended")

// Unattended answers by defaults, if Yes is set; otherwise it names the flag that is missing.
type Unattended struct {
	Yes  bool
	Note func(text string) // what is said
}

// Ask implements Asker.
func (u Unattended) Ask(_ context.Context, q Question) (string, error) {
	if !u.Yes || q.Needed {
		return "", &Missing{q.Flag}
	}
	return q.Default, nil
}

// Say implements Asker.
func (u Unattended) Say(text string) { u.Note(text) }

// Progress implements Asker.
func (Unattended) Progress(string) {}

// Patient implements Asker.
func (Unattended) Patient() bool { return false }

// yes asks a question that is answered by yes or no.
func (s *session) yes(ctx context.Context, q Question, usual bool) (bool, error) {
	q.Default, q.Choice = "n", "y/N"
	if usual {
		q.Default, q.Choice = "y", "Y/n"
	}
	for {
		answer, err := s.Ask.Ask(ctx, q)
		if err != nil {
			return false, err
		}
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "y", "yes":
			return true, nil
		case "n", "no":
			return false, nil
		}
		s.Ask.Say("  Please answer y or n.")
	}
}

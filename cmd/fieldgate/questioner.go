package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/fieldgate/fieldgate/internal/setup"
	"github.com/fieldgate/fieldgate/internal/terminal"
)

// A questioner asks the person at the terminal. It implements setup.Asker.
type questioner struct {
	terminal *terminal.Terminal
	out      io.Writer
	dumb     bool // the terminal cannot wipe a line
	progress bool // a line is shown that is to be wiped
}

// Ask implements setup.Asker.
func (p *questioner) Ask(ctx context.Context, q setup.Question) (string, error) {
	p.Progress("")
	text := q.Text
	if choice := q.Choice; choice != "" || q.Default != "" {
		if choice == "" {
			choice = q.Default
		}
		text += " [" + choice + "]"
	}
	read := func() (string, error) { p.prompt(text); return p.terminal.ReadLine(ctx) }
	if q.Secret {
		read = func() (string, error) { return p.terminal.ReadSecret(ctx, func() { p.prompt(text) }) }
	}
	answer, err := read()
	if err != nil {
		fmt.Fprintln(p.out)
	}
	switch {
	case errors.Is(err, io.EOF):
		return "", setup.ErrEnded
	case err != nil:
		return "", err
	case answer == "":
		return q.Default, nil
	}
	return answer, nil
}

func (p *questioner) prompt(text string) {
	width, _ := p.terminal.Size()
	fmt.Fprint(p.out, strings.Join(terminal.Wrap(text+":", width-1), "\n")+" ")
}

// Say implements setup.Asker.
func (p *questioner) Say(text string) {
	p.Progress("")
	width, _ := p.terminal.Size()
	for _, line := range terminal.Wrap(text, width) {
		fmt.Fprintln(p.out, line)
	}
}

// Progress implements setup.Asker.
func (p *questioner) Progress(text string) {
	if p.dumb || text == "" && !p.progress {
		return
	}
	draw(p.out, "\r\x1b[K")
	width, _ := p.terminal.Size()
	fmt.Fprint(p.out, terminal.Cut(oneLine(text), width-1))
	p.progress = text != ""
}

// Patient implements setup.Asker.
func (*questioner) Patient() bool { return true }

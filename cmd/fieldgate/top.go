package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/control"
	"github.com/fieldgate/fieldgate/internal/terminal"
)

const (
	topEvery = time.Second
	// topPatience is how long a gateway may take to answer before it is said that it does not.
	topPatience = 3 * time.Second
)

func topCommand(o *options) *cobra.Command {
	var socket string
	var asJSON bool
	c := &cobra.Command{
		Use: "top", Short: "Watch the running gateway: state, link, queue, sensors and their values",
		Long: `Top shows the state of the running gateway, what waits, and what each sensor measured last, and renews it every second. Sensors that do not work come
first. q or Ctrl-C leaves. If the gateway stops, top says so and goes on when it is back. Without a terminal, or with one that cannot move the cursor
(TERM=dumb), it prints all of it once. NO_COLOR switches colours off.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var client *control.Client
			ask := func(ctx context.Context) (s contract.LocalStatus, err error) {
				ctx, cancel := context.WithTimeout(ctx, topPatience)
				defer cancel()
				if client == nil {
					client = dial(o, socket, io.Discard)
				}
				if s, err = client.Status(ctx); err != nil {
					client = nil // it may come back at another socket
				}
				return s, err
			}
			out := cmd.OutOrStdout()
			watched := !asJSON && term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("TERM") != "dumb" && os.Getenv("TERM") != ""
			if watched {
				t, err := terminal.Open()
				if err != nil {
					return err
				}
				defer t.Close()
				return (&topScreen{terminal: t, out: out, ask: ask, colours: os.Getenv("NO_COLOR") == ""}).run(cmd.Context())
			}
			s, err := ask(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(out, s)
			}
			for _, line := range topLines(s, 0, false) {
				fmt.Fprintln(out, line.text)
			}
			return nil
		},
	}
	socketFlag(c, &socket)
	c.Flags().BoolVar(&asJSON, "json", false, "print one snapshot as JSON, as status does")
	return c
}

// Control sequences of ECMA-48 and xterm that every terminal has which is not dumb.
const (
	otherScreen = "\x1b[?1049h\x1b[?25l" // and no cursor
	usualScreen = "\x1b[?25h\x1b[?1049l"
	toBegin     = "\x1b[H"
	wipeLine    = "\x1b[K"
	wipeBelow   = "\x1b[J"
)

// colours by what a line says.
var colours = map[tone]string{good: "\x1b[32m", doubtful: "\x1b[33m", wrong: "\x1b[31m", title: "\x1b[1m", faint: "\x1b[2m"}

// A topScreen is a terminal on which the state is shown.
type topScreen struct {
	terminal *terminal.Terminal
	out      io.Writer
	ask      func(context.Context) (contract.LocalStatus, error)
	colours  bool

	status *contract.LocalStatus // the newest; nil: there was none
	lost   time.Time             // since when no gateway answers; zero: it does
	err    error                 // why it does not
	again  time.Time             // when another run of the gateway was seen first
}

// An answer is the gateway's.
type answer struct {
	status contract.LocalStatus
	err    error
}

// run shows the state until ctx ends or somebody wants to leave. Whatever ends it, the terminal is
// as it was.
func (w *topScreen) run(ctx context.Context) (err error) {
	restore, err := w.terminal.Keys()
	if err != nil {
		return err
	}
	draw(w.out, otherScreen)
	leave := sync.OnceValue(func() error { draw(w.out, usualScreen); return restore() })
	defer func() {
		if e := leave(); err == nil {
			err = e
		}
	}()
	ctx, cancel := context.WithCancel(ctx)
	var owned sync.WaitGroup
	defer owned.Wait()
	defer cancel()
	keys, answers := make(chan byte), make(chan answer)
	owned.Go(func() { leaving(leave, func() { w.readKeys(ctx, keys) }) })
	owned.Go(func() { leaving(leave, func() { w.askOn(ctx, answers) }) })
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	for {
		w.draw()
		select {
		case <-ctx.Done():
			return nil
		case <-resized:
		case key := <-keys:
			if key == 'q' || key == 'Q' {
				return nil
			}
		case a := <-answers:
			w.learn(a, time.Now())
		}
	}
}

// leaving calls f. If that panics, leave gives the terminal back before the program ends.
func leaving(leave func() error, f func()) {
	done := false
	defer func() {
		if !done {
			_ = leave() // the panic says more
		}
	}()
	f()
	done = true
}

// readKeys passes on what is typed. A terminal that is gone ends the watch as q does.
func (w *topScreen) readKeys(ctx context.Context, keys chan<- byte) {
	for {
		key, err := w.terminal.ReadKey(ctx)
		if err != nil {
			key = 'q'
		}
		select {
		case keys <- key:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// askOn asks the gateway every second.
func (w *topScreen) askOn(ctx context.Context, answers chan<- answer) {
	ticker := time.NewTicker(topEvery)
	defer ticker.Stop()
	for {
		s, err := w.ask(ctx)
		select {
		case answers <- answer{s, err}:
		case <-ctx.Done():
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// learn takes an answer.
func (w *topScreen) learn(a answer, now time.Time) {
	if a.err != nil {
		if w.err == nil {
			w.lost = now
		}
		w.err = a.err
		return
	}
	if w.status != nil && w.status.Health.Run != a.status.Health.Run {
		w.again = now
	}
	w.status, w.err, w.lost = &a.status, nil, time.Time{}
}

// lines is everything that is to be seen.
func (w *topScreen) lines(width int, whole bool) []topLine {
	var head []topLine
	switch {
	case w.err != nil && w.status == nil:
		return wrapTop(topLine{"waiting for the gateway: " + w.err.Error(), doubtful}, width)
	case w.err != nil:
		head = wrapTop(topLine{fmt.Sprintf("the gateway does not answer since %s; what follows is older: %v", w.lost.Format(time.TimeOnly), w.err), wrong}, width)
	case w.status == nil:
		return []topLine{{"asking the gateway", faint}}
	case !w.again.IsZero():
		head = wrapTop(topLine{"the gateway has started again, seen at " + w.again.Format(time.TimeOnly), faint}, width)
	}
	return append(head, topLines(*w.status, width, whole)...)
}

// draw shows as many lines as the terminal has.
func (w *topScreen) draw() {
	width, height := w.terminal.Size()
	room := max(height-1, 1)
	lines := w.lines(width, true)
	if len(lines) > room {
		lines = w.lines(width, false)
	}
	if len(lines) > room {
		rest := len(lines) - room + 1
		lines = append(lines[:room-1:room-1], topLine{terminal.Cut(fmt.Sprintf("… %d more lines; a larger window has them", rest), width), faint})
	}
	if height > 1 {
		for len(lines) < height-1 {
			lines = append(lines, topLine{})
		}
		lines = append(lines, topLine{terminal.Cut("q leaves", width), faint})
	}
	var b strings.Builder
	b.WriteString(toBegin)
	for i, line := range lines {
		colour := colours[line.tone]
		if !w.colours {
			colour = ""
		}
		b.WriteString(colour + line.text)
		if colour != "" {
			b.WriteString("\x1b[m")
		}
		b.WriteString(wipeLine)
		if i < len(lines)-1 {
			b.WriteString("\r\n")
		}
	}
	draw(w.out, b.String()+wipeBelow)
}

// Package loghandler writes log records in the form that their reader takes best: short lines with
// the time of day for a person at a terminal, priorities and no times for the journal, which has
// its own, and logfmt for everybody else. Attributes that say nothing are left out, durations and
// fractions are rounded.
package loghandler

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/sys/unix"
)

// A Form is what a line of the log looks like.
type Form int

const (
	Logfmt  Form = iota // time=… level=INFO msg="…" key=value
	Person              // 15:04:05 the message key=value
	Journal             // <6>the message key=value
	Dated               // 2006-01-02 15:04:05 the message key=value
)

// FormOf returns the form for those who read a file, standard error as a rule.
func FormOf(f *os.File, env func(string) string) Form {
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err == nil {
		return Person
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err == nil && env("JOURNAL_STREAM") == fmt.Sprintf("%d:%d", st.Dev, st.Ino) {
		return Journal // else the unit has sent this file elsewhere
	}
	return Logfmt
}

// New returns a handler that writes lines of a form to out.
func New(out io.Writer, form Form, level slog.Leveler) slog.Handler {
	if form == Logfmt {
		return slog.NewTextHandler(out, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if empty(a.Value) {
				return slog.Attr{}
			}
			return slog.Attr{Key: a.Key, Value: rounded(a.Value)}
		}})
	}
	return &short{out: out, form: form, level: level, mu: new(sync.Mutex)}
}

// short writes the forms for people.
type short struct {
	out    io.Writer
	form   Form
	level  slog.Leveler
	fixed  string // attributes of WithAttrs, written
	groups []string
	mu     *sync.Mutex
}

func (h *short) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

func (h *short) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	switch h.form {
	case Journal:
		fmt.Fprintf(&b, "<%d>", priority(r.Level))
	case Dated:
		b.WriteString(r.Time.Format(time.DateTime + " "))
	default:
		b.WriteString(r.Time.Format("15:04:05 "))
	}
	if r.Level != slog.LevelInfo {
		b.WriteString(r.Level.String() + " ")
	}
	b.WriteString(plain(r.Message))
	b.WriteString(h.fixed)
	r.Attrs(func(a slog.Attr) bool {
		write(&b, h.groups, a)
		return true
	})
	b.WriteByte('\n')
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := io.WriteString(h.out, b.String())
	return err
}

func (h *short) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	for _, a := range attrs {
		write(&b, h.groups, a)
	}
	next := *h
	next.fixed += b.String()
	return &next
}

func (h *short) WithGroup(name string) slog.Handler {
	next := *h
	if name != "" {
		next.groups = append(slices.Clone(h.groups), name)
	}
	return &next
}

// write writes an attribute, those of a group one by one.
func write(b *strings.Builder, groups []string, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			groups = append(slices.Clone(groups), a.Key)
		}
		for _, member := range v.Group() {
			write(b, groups, member)
		}
		return
	}
	if empty(v) {
		return
	}
	b.WriteByte(' ')
	for _, g := range groups {
		b.WriteString(plain(g) + ".")
	}
	text := rounded(v).String()
	if text == "" || strings.ContainsAny(text, " =\"") || plain(text) != text {
		text = strconv.Quote(text)
	}
	b.WriteString(plain(a.Key) + "=" + text)
}

// plain returns text that stays on its line and that no terminal obeys.
func plain(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

// empty reports whether an attribute says nothing.
func empty(v slog.Value) bool {
	switch v = v.Resolve(); v.Kind() {
	case slog.KindString:
		return v.String() == ""
	case slog.KindAny:
		return v.Any() == nil || fmt.Sprint(v.Any()) == ""
	case slog.KindTime:
		return v.Time().IsZero()
	}
	return false
}

// rounded takes the digits away that say nothing to a reader: three of a duration and six of a
// fraction stay.
func rounded(v slog.Value) slog.Value {
	switch v = v.Resolve(); v.Kind() {
	case slog.KindDuration:
		d := v.Duration()
		unit := time.Duration(1)
		for d.Abs() >= 1000*unit && unit < time.Second {
			unit *= 10
		}
		return slog.StringValue(d.Round(unit).String())
	case slog.KindFloat64:
		return slog.StringValue(strconv.FormatFloat(v.Float64(), 'g', 6, 64))
	case slog.KindTime:
		return slog.StringValue(v.Time().Format("2006-01-02T15:04:05.000Z07:00"))
	}
	return v
}

// priority is what the journal calls a level, as syslog(3) counts.
func priority(l slog.Level) int {
	switch {
	case l >= slog.LevelError:
		return 3
	case l >= slog.LevelWarn:
		return 4
	case l >= slog.LevelInfo:
		return 6
	}
	return 7
}

package loghandler_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fieldgate/fieldgate/internal/loghandler"
)

func record(level slog.Level, msg string, args ...any) slog.Record {
	r := slog.NewRecord(time.Date(2026, 11, 28, 9, 5, 7, 123456789, time.UTC), level, msg, 0)
	r.Add(args...)
	return r
}

func TestForms(t *testing.T) {
	for _, test := range []struct {
		name    string
		form    loghandler.Form
		r       slog.Record
		want    string
		derived bool
	}{
		{"a person", loghandler.Person, record(slog.LevelInfo, "connected", "broker", "mqtt://a:1", "after", 1234567890*time.Nanosecond, "err", ""), "09:05:07 connected broker=mqtt://a:1 after=1.23s\n", false},
		{"a warning", loghandler.Person, record(slog.LevelWarn, "offline", "err", errors.New("connection refused")), "09:05:07 WARN offline err=\"connection refused\"\n", false},
		{"nothing said", loghandler.Person, record(slog.LevelInfo, "x", "err", nil, "since", time.Time{}, "n", 0, "list", []string{}), "09:05:07 x n=0 list=[]\n", false},
		{"a fraction", loghandler.Person, record(slog.LevelInfo, "x", "v", 1.0/3), "09:05:07 x v=0.333333\n", false},
		{"what a terminal obeys", loghandler.Person, record(slog.LevelInfo, "a\x1b[2J", "k", "b\nc"), "09:05:07 \"a\\x1b[2J\" k=\"b\\nc\"\n", false},
		{"the journal", loghandler.Journal, record(slog.LevelInfo, "running", "boot", 3), "<6>running boot=3\n", false},
		{"the journal, an error", loghandler.Journal, record(slog.LevelError, "no", "err", "a\nb"), "<3>ERROR no err=\"a\\nb\"\n", false},
		{"the journal, a warning", loghandler.Journal, record(slog.LevelWarn, "no"), "<4>WARN no\n", false},
		{"the journal, debug", loghandler.Journal, record(slog.LevelDebug, "x"), "<7>DEBUG x\n", false},
		{"logfmt", loghandler.Logfmt, record(slog.LevelInfo, "running", "err", "", "took", 1234567*time.Microsecond), "time=2026-11-28T09:05:07.123Z level=INFO msg=running took=1.23s\n", false},
		{"attributes of the logger", loghandler.Person, record(slog.LevelInfo, "x", "b", 2), "09:05:07 x a=1 g.b=2\n", true},
	} {
		var out strings.Builder
		h := loghandler.New(&out, test.form, slog.LevelDebug)
		if test.derived {
			h = h.WithAttrs([]slog.Attr{slog.Int("a", 1), slog.String("none", "")}).WithGroup("g")
		}
		if err := h.Handle(context.Background(), test.r); err != nil || out.String() != test.want {
			t.Errorf("%s:\nwant %q\n got %q, %v", test.name, test.want, out.String(), err)
		}
	}
}

func TestLevel(t *testing.T) {
	level := new(slog.LevelVar)
	for _, form := range []loghandler.Form{loghandler.Logfmt, loghandler.Person, loghandler.Journal} {
		h := loghandler.New(new(strings.Builder), form, level)
		if h.Enabled(t.Context(), slog.LevelDebug) || !h.Enabled(t.Context(), slog.LevelInfo) {
			t.Errorf("form %d does not keep to the level", form)
		}
	}
}

func TestFormOf(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	own := fmt.Sprintf("%d:%d", st.Dev, st.Ino)
	for stream, want := range map[string]loghandler.Form{"": loghandler.Logfmt, own: loghandler.Journal, own + "1": loghandler.Logfmt, "8:1234": loghandler.Logfmt} {
		if got := loghandler.FormOf(file, func(string) string { return stream }); got != want {
			t.Errorf("JOURNAL_STREAM=%q: want %d, got %d", stream, want, got)
		}
	}
	if terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0); err == nil {
		defer terminal.Close()
		if got := loghandler.FormOf(terminal, func(string) string { return "8:1" }); got != loghandler.Person {
			t.Errorf("a terminal: got %d", got)
		}
	}
}

package ratelog_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/internal/ratelog"
)

func lines(b *bytes.Buffer) int { return strings.Count(b.String(), "\n") }

func TestFloodOfOneKindIsAFewLinesAndACount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		h := ratelog.New(slog.NewTextHandler(&out, nil), 5, time.Minute, "op")
		log := slog.New(h)
		for i := range 20000 {
			log.Info("command succeeded", "op", "ping", "id", i)
		}
		log.Info("command succeeded", "op", "write") // another kind is not pushed out
		log.With("x", 1).Warn("command succeeded", "op", "ping")
		if n := lines(&out); n != 7 {
			t.Fatalf("want 5, 1 and 1 lines, got %d", n)
		}
		h.Flush(t.Context(), false)
		if n := lines(&out); n != 7 {
			t.Fatalf("the period has not ended, got %s", out.String())
		}
		time.Sleep(time.Minute)
		h.Flush(t.Context(), false)
		h.Flush(t.Context(), false)
		if n := lines(&out); n != 8 || !strings.Contains(out.String(), `msg="command succeeded" more_like_this=19995`) {
			t.Errorf("want the count once, got %s", out.String())
		}
		log.Info("command succeeded", "op", "ping", "id", "next")
		if n := lines(&out); n != 9 {
			t.Errorf("a new period begins, got %s", out.String())
		}
	})
}

func TestSlowKindIsNeverLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := slog.New(ratelog.New(slog.NewTextHandler(&out, nil), 1, time.Minute))
		for range 10 {
			log.Info("x")
			time.Sleep(time.Minute)
		}
		if n := lines(&out); n != 10 {
			t.Errorf("got %d lines", n)
		}
	})
}

func TestKindsThatAPeerInventsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		h := ratelog.New(slog.NewTextHandler(&out, nil), 1, time.Minute, "op")
		log := slog.New(h)
		for i := range 10000 {
			log.Warn("command rejected", "op", fmt.Sprint(i))
		}
		if n := lines(&out); n != 257 {
			t.Errorf("want 256 kinds and one for all others, got %d lines", n)
		}
		h.Flush(t.Context(), true)
		if !strings.Contains(out.String(), `msg="records of many kinds" more_like_this=9743`) {
			t.Errorf("got %s", out.String()[out.Len()-200:])
		}
	})
}

package loghandler_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/internal/loghandler"
)

// TestRingKeepsTheNewestLines: whatever is logged, whole lines of it, the newest, within the bound.
func TestRingKeepsTheNewestLines(t *testing.T) {
	r := loghandler.NewRing(1000)
	log := slog.New(loghandler.New(r, loghandler.Dated, slog.LevelInfo))
	for i := range 500 {
		log.Info("line", "n", i, "text", strings.Repeat("x", i%40))
		lines := r.Lines(1000)
		if size := len(strings.Join(lines, "\n")); size > 1000 {
			t.Fatalf("%d bytes after %d lines", size, i+1)
		}
		for k, line := range lines {
			if want := fmt.Sprintf(" line n=%d", i-len(lines)+1+k); !strings.Contains(line, want) {
				t.Fatalf("after line %d, line %d of %d is %q", i, k, len(lines), line)
			}
		}
	}
	if got := r.Lines(3); len(got) != 3 || !strings.Contains(got[2], "n=499") {
		t.Errorf("the last three: %q", got)
	}
	log.Info("long", "text", strings.Repeat("x", 5000))
	if got := r.Lines(1); len(got) != 1 || len(got[0]) > 260 || !strings.Contains(got[0], "long text=xxx") {
		t.Errorf("a long line: %d lines, %.80q", len(got), got)
	}
}

package quiet_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/internal/quiet"
)

// TestLinesOfOneKindAreLimitedAndCounted: 20,000 lines in an hour of a peer's making, and one of another kind among them.
func TestLinesOfOneKindAreLimitedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := slog.New(quiet.Handler(slog.NewTextHandler(&out, nil)))
		for i := range 20000 {
			log.With("topic", "x").Warn("refused", "n", i)
			time.Sleep(180 * time.Millisecond)
		}
		log.Warn("another")
		lines := strings.Count(out.String(), "msg=refused")
		if lines < 500 || lines > 620 {
			t.Errorf("%d lines in an hour", lines)
		}
		if text := out.String(); !strings.Contains(text, "not_logged=324") || strings.Count(text, "msg=another") != 1 {
			t.Errorf("want 324 of 334 lines of a minute counted, and the other kind\n%.2000s", text)
		}
	})
}

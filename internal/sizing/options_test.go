package sizing

import (
	"log/slog"
	"maps"
	"slices"
	"testing"

	"github.com/fieldgate/fieldgate/config"
)

// TestWordsHaveMeaning: each word that the configuration takes means something to the part that
// gets it.
func TestWordsHaveMeaning(t *testing.T) {
	for key, test := range map[string]struct {
		words config.Words
		means []string
	}{
		"buffer.when_full": {config.WhenFull, slices.Collect(maps.Keys(policies))},
		"sensor.priority":  {config.Priorities, slices.Collect(maps.Keys(priorities))},
	} {
		want, got := test.words.Names(), test.means
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) {
			t.Errorf("%s takes %q, and %q have a meaning", key, want, got)
		}
	}
	for _, word := range config.LogLevels.Names() {
		if err := new(slog.LevelVar).UnmarshalText([]byte(word)); err != nil {
			t.Errorf("gateway.log_level: %v", err)
		}
	}
}

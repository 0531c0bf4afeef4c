package event_test

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/event"
)

// TestLostIsWhatIsPublished: whoever follows the ledger is given the ranges of the event, once.
func TestLostIsWhatIsPublished(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	store, err := buffer.Open(t.Context(), filepath.Join(t.TempDir(), "q.db"), buffer.Options{Machine: "m", KernelBoot: "k", MaxBytes: 8 << 20, WhenFull: buffer.RejectNew, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close(t.Context())
	body := make([]byte, 16<<10)
	_, _ = rand.Read(body) // which does not compress
	for n := 0; !errors.Is(err, buffer.ErrFull); n++ {
		if n > 10_000 {
			t.Fatal("the store takes everything")
		}
		_, err = store.Append(t.Context(), buffer.Readings, "hall", time.Duration(n), body)
	}
	if err := store.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []contract.Loss
	j := event.NewJournal(event.Config{Store: store, Up: func() time.Duration { return time.Hour }, Lost: func(l []contract.Loss) { got = append(got, l...) }, Log: log})
	for range 3 {
		if err := j.Losses(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(got) != 1 || got[0].Sensor != "hall" || got[0].Reason != "rejected" || got[0].Count != 1 || got[0].Run != store.Run() {
		t.Errorf("%+v", got)
	}
}

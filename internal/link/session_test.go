package link

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/mqtt"
)

// What would empty a full store does not need room in it.
func TestSessionNeedsNoRoomInTheStore(t *testing.T) {
	store, err := buffer.Open(t.Context(), filepath.Join(t.TempDir(), "q.db"), buffer.Options{MaxBytes: 8 << 20, KernelBoot: "k"})
	if err != nil {
		t.Fatal(err)
	}
	for i, size := 0, 64<<10; size > 0; i++ {
		if err := store.Update(t.Context(), func(tx *buffer.Tx) error { return tx.Put("ballast", fmt.Sprint(i), make([]byte, size)) }); err != nil {
			size /= 2
		}
	}
	var log strings.Builder
	s := Session{store, buffer.ErrClosed, "gw", slog.New(slog.NewTextHandler(&log, nil))}
	facts := mqtt.SessionFacts{ClientID: strings.Repeat("x", 2000)}
	if err := s.Save(t.Context(), facts); err != nil || !strings.Contains(log.String(), "level=WARN") {
		t.Errorf("got %v, %s", err, log.String())
	}
	if err := store.Close(t.Context()); err != nil {
		t.Log(err) // its mark may find no room
	}
	if err := s.Save(t.Context(), facts); err == nil {
		t.Error("a closed store is no full one")
	}
}

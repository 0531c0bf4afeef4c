package sizing

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
)

// TestFullFront: a store whose max_loss is far away commits when fullFront and a little more has
// come, and not before.
func TestFullFront(t *testing.T) {
	// the least that a configuration may have, and the default
	for _, maxBytes := range []int64{8 << 20, 256 << 20} {
		store, err := buffer.Open(t.Context(), filepath.Join(t.TempDir(), "queue.db"), buffer.Options{
			MaxBytes: maxBytes, MaxLoss: time.Hour, KernelBoot: "test", Up: func() time.Duration { return time.Hour },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close(t.Context())
		before := store.Stats()
		fill := func(front int64) {
			for store.Stats().Bytes-before.Bytes <= front && store.Stats().Commits == before.Commits {
				if _, err := store.Append(t.Context(), buffer.Readings, "s", time.Hour, make([]byte, 40)); err != nil {
					t.Fatal(err)
				}
			}
		}
		fill(fullFront)
		if st := store.Stats(); st.Commits != before.Commits {
			t.Fatalf("max_bytes %d: it has committed: %+v", maxBytes, st)
		}
		fill(fullFront + fullFront/20)
		for end := time.Now().Add(10 * time.Second); store.Stats().Commits == before.Commits; {
			if time.Now().After(end) {
				t.Fatalf("max_bytes %d: no commit at a front of %d bytes", maxBytes, store.Stats().Bytes-before.Bytes)
			}
			<-time.After(time.Millisecond)
		}
	}
}

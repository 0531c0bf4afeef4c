package buffer

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// A bucket is read in pages, each with one walk down the index: what it takes grows with the
// entries and not with their square.
func TestReadingABucketIsLinear(t *testing.T) {
	s := newStore(t, Options{})
	ctx := context.Background()
	const entries = 5000
	value := make([]byte, 300)
	if err := s.Update(ctx, func(tx *Tx) error {
		for i := range entries {
			if err := tx.Put("b", fmt.Sprintf("%08d", i), value); err != nil {
				return err
			}
		}
		return tx.Put("b", "", value) // the smallest key there is
	}); err != nil {
		t.Fatal(err)
	}
	n, last := 0, "none"
	began := time.Now()
	var before, after uint64
	err := s.submit(ctx, &job{read: func(c *committer) error {
		before = c.db.statements
		err := (&Tx{s: s, db: c.db}).Each("b", func(key string, _ []byte) error {
			if n > 0 && key <= last {
				t.Errorf("%q after %q", key, last)
			}
			n, last = n+1, key
			return nil
		})
		after = c.db.statements
		return err
	}})
	t.Logf("%d entries in %v", n, time.Since(began))
	if err != nil || n != entries+1 {
		t.Errorf("got %d entries, %v", n, err)
	}
	if most := uint64(entries/eachPage + 2); after-before > most {
		t.Errorf("%d statements for %d entries, want at most %d", after-before, entries, most)
	}
}

package retire

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/fieldgate/fieldgate/buffer"
)

// TestEmptyOfAStoreInUse: a gateway that has started since then keeps its store.
func TestEmptyOfAStoreInUse(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "queue.db")
	s, err := buffer.Open(t.Context(), path, buffer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	identity := filepath.Join(dir, "machine-id")
	if err := os.WriteFile(identity, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if deleted, err := Empty(path, dir); !errors.Is(err, buffer.ErrInUse) || len(deleted) != 0 {
		t.Errorf("deleted %q, %v", deleted, err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	deleted, err := Empty(path, dir)
	if err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v; deleted %q", left, err, deleted)
	}
	if deleted, err := Empty(path, dir); err != nil || len(deleted) != 0 {
		t.Errorf("again: deleted %q, %v", deleted, err)
	}
	if deleted, err := Empty(filepath.Join(dir, "none", "queue.db"), dir); err != nil && !errors.Is(err, fs.ErrNotExist) || len(deleted) != 0 {
		t.Errorf("without a directory: deleted %q, %v", deleted, err)
	}
}

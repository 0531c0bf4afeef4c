package buffer

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Something under a name of the store that is not a file is reported at once, whatever opening it
// would do, and stays where it is.
func TestWhatIsNoFileIsNoStore(t *testing.T) {
	for _, suffix := range []string{"", "-wal", "-journal", ".lock", ".damaged", ".ballast"} {
		for kind, put := range map[string]func(string) error{
			"a pipe":      func(name string) error { return syscall.Mkfifo(name, 0o600) },
			"a directory": func(name string) error { return os.Mkdir(name, 0o700) },
			"a device":    func(name string) error { return os.Symlink("/dev/zero", name) },
		} {
			path := filepath.Join(t.TempDir(), "queue.db")
			name := path + suffix
			if suffix == ".ballast" {
				name = ballastPath(path)
			}
			if err := put(name); err != nil {
				t.Fatal(err)
			}
			opened := tryOpen(path)
			select {
			case err := <-opened:
				var open *OpenError
				if !errors.As(err, &open) || !errors.Is(err, ErrNotRegular) || !strings.Contains(open.Remedy, "away") {
					t.Errorf("%s as queue.db%s: %v", kind, suffix, err)
				}
			case <-time.After(10 * time.Second):
				t.Errorf("%s as queue.db%s: it hangs", kind, suffix)
			}
			if err := Examine(path); !errors.Is(err, ErrNotRegular) {
				t.Errorf("examined, %s as queue.db%s: %v", kind, suffix, err)
			}
			if _, err := os.Lstat(name); err != nil {
				t.Errorf("%s as queue.db%s was taken away: %v", kind, suffix, err)
			}
		}
	}
}

// tryOpen opens a store in a goroutine that may hang.
func tryOpen(path string) <-chan error {
	opened := make(chan error, 1)
	go func() {
		s, err := Open(context.Background(), path, Options{})
		if err == nil {
			err = s.Close(context.Background())
		}
		opened <- err
	}()
	return opened
}

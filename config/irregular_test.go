package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/config"
)

// What is not a file, or larger than any configuration, is said at once: as the configuration,
// beside it, and as the last good one.
func TestWhatIsNoFileIsNoConfiguration(t *testing.T) {
	for kind, put := range map[string]func(string) error{
		"a named pipe": func(name string) error { return syscall.Mkfifo(name, 0o600) },
		"a directory":  func(name string) error { return os.Mkdir(name, 0o700) },
		"a device":     func(name string) error { return os.Symlink("/dev/zero", name) },
		"larger than":  func(name string) error { return errors.Join(os.WriteFile(name, nil, 0o600), os.Truncate(name, 1<<40)) },
	} {
		for _, place := range []string{"main.toml", "conf.d/x.toml", "last-good.json", "last-good.json.new"} {
			dir := t.TempDir()
			main, good := filepath.Join(dir, "main.toml"), filepath.Join(dir, "last-good.json")
			err := os.Mkdir(filepath.Join(dir, "conf.d"), 0o700)
			if place != "main.toml" {
				err = errors.Join(err, os.WriteFile(main, []byte(minimal), 0o600))
			}
			if err = errors.Join(err, put(filepath.Join(dir, place))); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() {
				switch place {
				case "last-good.json":
					_, err := config.LoadGood(good)
					done <- err
				case "last-good.json.new":
					done <- config.SaveGood(good, []config.Source{{Name: "x", Text: "y"}})
				default:
					_, err := config.Load(main, config.Catalogue{})
					done <- err
				}
			}()
			select {
			case err := <-done:
				if place == "last-good.json.new" {
					if err != nil {
						t.Errorf("%s as %s: %v", kind, place, err)
					}
				} else if err == nil || !strings.Contains(err.Error(), kind) || !strings.Contains(err.Error(), place) {
					t.Errorf("%s as %s: %v", kind, place, err)
				}
			case <-time.After(10 * time.Second):
				t.Errorf("%s as %s: it hangs", kind, place)
			}
		}
	}
}

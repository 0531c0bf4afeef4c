package retire

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// beside is what a store and a gateway keep in files with its name and a suffix.
var beside = []string{"-wal", "-shm", "-journal", ".ballast", ".damaged", ".lock"}

// own are the files of a state directory that make up an identity, or repeat the configuration.
var own = []string{"enrolled", "last-good.json", "last-good.json.new", "machine-id", "machine-id.new"}

// Empty deletes the store, what was set aside of damaged ones, and in the state directory what made
// the gateway this one. It returns what it deleted. Whatever else is there is left alone.
func Empty(store, stateDir string) (deleted []string, err error) {
	if target, e := filepath.EvalSymlinks(store); e == nil {
		store = target
	}
	names := []string{store}
	for _, suffix := range beside {
		names = append(names, store+suffix)
	}
	entries, _ := os.ReadDir(filepath.Dir(store))
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), filepath.Base(store)+".corrupt-") {
			names = append(names, filepath.Join(filepath.Dir(store), e.Name()))
		}
	}
	for _, name := range own {
		names = append(names, filepath.Join(stateDir, name))
	}
	for _, name := range names {
		if _, e := os.Lstat(name); errors.Is(e, fs.ErrNotExist) {
			continue
		}
		if e := os.RemoveAll(name); e != nil {
			err = errors.Join(err, e)
			continue
		}
		deleted = append(deleted, name)
	}
	return deleted, err
}

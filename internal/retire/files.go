package retire

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/fieldgate/fieldgate/buffer"
)

// beside is what a store and a gateway keep in files with its name and a suffix.
var beside = []string{"-wal", "-shm", "-journal", ".ballast", ".damaged"}

// lockSuffix is of the file that whoever has the store open has locked.
const lockSuffix = ".lock"

// own are the files of a state directory that make up an identity, or repeat the configuration.
var own = []string{"enrolled", "last-good.json", "last-good.json.new", "machine-id", "machine-id.new"}

// Empty deletes the store, what was set aside of damaged ones, and in the state directory what made
// the gateway this one. It returns what it deleted. Whatever else is there is left alone. The error
// is buffer.ErrInUse, and nothing is deleted, if a gateway has started meanwhile.
func Empty(store, stateDir string) (deleted []string, err error) {
	if target, e := filepath.EvalSymlinks(store); e == nil {
		store = target
	}
	release, err := hold(store)
	if err != nil {
		return nil, err
	}
	defer release()
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
	names = append(names, store+lockSuffix) // the last: until then no gateway starts
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

// hold keeps gateways away from a store.
func hold(store string) (release func(), err error) {
	f, err := os.OpenFile(store+lockSuffix, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil // nobody has ever opened it
	}
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		err = fmt.Errorf("%s is %w, which has started meanwhile: stop it, and run it again", store, buffer.ErrInUse)
	case err != nil:
		err = fmt.Errorf("locking %s: %w", f.Name(), err)
	default:
		return func() { f.Close() }, nil
	}
	f.Close()
	return nil, err
}

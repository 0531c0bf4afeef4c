package buffer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Examine returns what would keep Open from using path, as an *OpenError, or nil if there is no
// such reason that shows without opening the database. It changes nothing. For a store that is
// open, also in this process, it returns ErrInUse.
func Examine(path string) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if err := checkFileSystem(path); err != nil {
		return err
	}
	if err := checkDirectory(path); err != nil {
		return err
	}
	if err := checkRegular(path); err != nil {
		return err
	}
	if err := unix.Access(filepath.Dir(path), unix.W_OK|unix.X_OK); err != nil {
		return notWritable(path, err)
	}
	for _, name := range []string{path, path + "-wal", path + ".lock", ballastPath(path)} {
		if err := unix.Access(name, unix.R_OK|unix.W_OK); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return notWritable(path, err)
		}
	}
	if err := examineLock(path); err != nil {
		return err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return notWritable(path, err)
	}
	defer f.Close()
	header := make([]byte, 100)
	if n, err := io.ReadFull(f, header); n > 0 && (err == nil || errors.Is(err, io.ErrUnexpectedEOF)) {
		return foreign(path, header[:n])
	}
	return nil
}

// InUse reports whether any process, this one included, has the store at path open; false if there
// is no store. An error means that this cannot be determined.
func InUse(path string) (bool, error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	f, err := os.OpenFile(path+".lock", os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("buffer: looking at %s: %w", path, err)
	}
	f.Close()
	return errors.Is(examineLock(path), ErrInUse), nil
}

// examineLock returns an error if a process has the store open. To find out, it takes a lock for a
// moment, which does not keep another examination away.
func examineLock(path string) error {
	f, err := os.Open(path + ".lock")
	if err != nil {
		return nil
	}
	defer f.Close()
	holder := make([]byte, 16)
	n, _ := f.ReadAt(holder, 0)
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); err != nil {
		return inUse(path, holder[:n], err)
	}
	return nil
}

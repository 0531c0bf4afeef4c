package enrol

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/fieldgate/fieldgate/config"
)

// FS is what enrolment does with files. A test has one that ends at any call.
type FS interface {
	// Directory makes a directory for the owner of the one above it, if it does not exist.
	Directory(name string) error
	// Read returns the content of a regular file.
	Read(name string) ([]byte, error)
	// Create writes a new file for the owner of its directory alone, in place of one that a power
	// cut left, and makes its content durable.
	Create(name string, text []byte) error
	Rename(from, to string) error
	Remove(name string) error
	// Sync makes durable which files a directory has.
	Sync(dir string) error
}

// Disk is the file system of this machine.
type Disk struct{}

const maxFile = 256 << 10 // bytes of any file here

// Directory implements FS.
func (Disk) Directory(name string) error {
	err := os.Mkdir(name, 0o700)
	there := errors.Is(err, fs.ErrExist)
	switch {
	case err != nil && !there:
		return err
	case os.Geteuid() != 0:
		return nil
	}
	// Another user decides what has this name: root goes to no other place.
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	if !there {
		err = handOver(f)
	}
	return errors.Join(err, f.Close())
}

// Read implements FS.
func (Disk) Read(name string) ([]byte, error) { return config.ReadFile(name, maxFile) }

// Create implements FS.
func (Disk) Create(name string, text []byte) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = handOver(f)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

// Rename implements FS.
func (Disk) Rename(from, to string) error { return os.Rename(from, to) }

// Remove implements FS.
func (Disk) Remove(name string) error { return os.Remove(name) }

// Sync implements FS.
func (Disk) Sync(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// handOver gives a file that root made to the owner of its directory, which is the service's user.
// It is given the open file: its name is that user's.
func handOver(f *os.File) error {
	if os.Geteuid() != 0 {
		return nil
	}
	var st syscall.Stat_t
	if err := syscall.Stat(filepath.Dir(f.Name()), &st); err != nil {
		return err
	}
	return f.Chown(int(st.Uid), int(st.Gid))
}

// lock makes sure that nobody else enrols this gateway meanwhile.
func lock(name string) (release func(), err error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := handOver(f); err != nil {
		f.Close()
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrBusy
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return func() { f.Close() }, nil
}

// replace makes a file durable that is there as a whole, or as it was before.
func (e *Enrolment) replace(name string, text []byte) error {
	path := e.path(name)
	err := e.fs.Create(path+".new", text)
	if err == nil {
		err = e.fs.Rename(path+".new", path)
	}
	if err == nil {
		err = e.fs.Sync(e.cfg.Dir)
	}
	if err != nil {
		return e.notWritten(err)
	}
	return nil
}

func (e *Enrolment) path(name string) string { return filepath.Join(e.cfg.Dir, name) }

// notWritten says what to do about a file that cannot be written.
func (e *Enrolment) notWritten(err error) error {
	remedy := fmt.Sprintf("let the service's user write to %s", filepath.Dir(e.cfg.Dir))
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		remedy = fmt.Sprintf("make room (df -h %s), it goes on by itself", filepath.Dir(e.cfg.Dir))
	case errors.Is(err, syscall.EROFS), errors.Is(err, syscall.EIO):
		remedy = "check the card: dmesg says what is wrong with it"
	case errors.Is(err, fs.ErrNotExist):
		remedy = fmt.Sprintf("make %s", filepath.Dir(e.cfg.Dir))
	}
	return &Fault{What: "the new identity cannot be stored: " + err.Error(), Remedy: remedy, Passes: true, Err: err}
}

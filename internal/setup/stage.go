package setup

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fieldgate/fieldgate/config"
)

// Names of the files beside the configuration.
const (
	passwordName = "mqtt-password"
	caName       = "ca.pem"
)

// stagePrefix begins the name of a stage.
const stagePrefix = ".init-"

// packagedSum is of the configuration that the packages bring. Nobody has written anything into one
// with this sum, so that it may give way unasked.
const packagedSum = "dc72706e1ae38382d9c03294fcf5deb208a2d3cddb7c29549f85652ce93c6d30"

// maxConfig is how much is read of a configuration that is there, in bytes.
const maxConfig = 1 << 20

// A stage is a folder beside the configuration that has the new files until all are there.
type stage struct {
	file  string // of the configuration
	dir   string
	lock  *os.File // dir, locked: it is not what a run that was killed has left
	made  string   // the directory that was made for the configuration, "" if it was there
	group *int
	force bool
	aside bool // the configuration that is there is kept
}

// A fileError is one of writing, which no other answer avoids.
type fileError struct{ error }

func (e *fileError) Unwrap() error { return e.error }

// newStage makes a stage, or says why the configuration cannot be written.
func newStage(file string, force bool, group *int) (*stage, error) {
	s := &stage{file: file, group: group, force: force}
	switch text, err := config.ReadFile(file, maxConfig); {
	case err == nil:
		sum := sha256.Sum256(text)
		s.aside = hex.EncodeToString(sum[:]) != packagedSum
		if s.aside && !force {
			return nil, &fileError{fmt.Errorf("%s is there already: edit it, or have it kept aside and a new one made with --force", file)}
		}
	case errors.Is(err, fs.ErrNotExist):
	default:
		return nil, failed(fmt.Errorf("what is there cannot be read: %w", err))
	}
	dir := filepath.Dir(file)
	switch err := os.Mkdir(dir, 0o755); {
	case err == nil:
		s.made = dir
		if group != nil {
			if err := os.Chmod(dir, 0o755); err != nil { // the service enters it, whatever the umask is
				s.remove()
				return nil, failed(err)
			}
		}
	case !errors.Is(err, fs.ErrExist):
		return nil, failed(err)
	}
	sweep(dir)
	var err error
	if s.dir, err = os.MkdirTemp(dir, stagePrefix); err == nil {
		s.lock, err = locked(s.dir)
	}
	if err != nil {
		s.remove()
		return nil, failed(err)
	}
	return s, nil
}

// sweep removes stages that nobody uses: one whose run was killed may have a password.
func sweep(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), stagePrefix) {
			continue
		}
		name := filepath.Join(dir, e.Name())
		if f, err := locked(name); err == nil {
			_ = os.RemoveAll(name) // the next run tries it again
			f.Close()
		}
	}
}

// locked opens and locks a directory.
func locked(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("locking %s: %w", dir, err)
	}
	return f, nil
}

// failed says what to do about an error of writing.
func failed(err error) error {
	remedy := ""
	switch {
	case errors.Is(err, fs.ErrPermission):
		remedy = ": run it with sudo, or name another file with -o"
	case errors.Is(err, syscall.EROFS):
		remedy = ": the file system is read-only: make it writable (sudo mount -o remount,rw /), or name another file with -o"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		remedy = ": free some space (sudo apt-get clean, sudo journalctl --vacuum-size=50M), or name another file with -o"
	case errors.Is(err, fs.ErrNotExist):
		remedy = ": make the directory, or name another file with -o"
	}
	return &fileError{fmt.Errorf("nothing was changed: %w%s", err, remedy)}
}

// remove removes the stage, and a directory in which there is nothing else.
func (s *stage) remove() {
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
	if s.lock != nil {
		s.lock.Close()
	}
	if s.made != "" {
		_ = os.Remove(s.made) // fails if the configuration is in it
	}
}

// path is where a file is before it has its place.
func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

// secrets puts password and certificate of a draft on the stage.
func (s *stage) secrets(d *draft) error {
	if d.password != nil {
		if err := s.put(s.path(passwordName), []byte(*d.password+"\n"), true); err != nil {
			return err
		}
	}
	if d.ca != nil {
		return s.put(s.path(caName), d.ca, false)
	}
	return nil
}

// put makes a file that is durable, and readable by the service.
func (s *stage) put(file string, text []byte, secret bool) error {
	mode := fs.FileMode(0o640)
	if secret && s.group == nil {
		mode = 0o600
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failed(err)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return failed(err)
	}
	_, err = f.Write(text)
	if err == nil && s.group != nil {
		err = f.Chown(-1, *s.group)
	}
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return failed(err)
	}
	return nil
}

// A change gives a file its place.
type change struct {
	from, to string
	kept     string // where the file goes that is there; "" if there is none, or it is not kept
	there    bool
}

// place returns where a file of the stage goes: not in the way of another gateway's.
func (s *stage) place(name string, text []byte) (string, error) {
	for n := 1; ; n++ {
		path := filepath.Join(filepath.Dir(s.file), name)
		if n > 1 {
			path += "-" + strconv.Itoa(n)
		}
		there, err := config.ReadFile(path, maxPEM)
		switch {
		case errors.Is(err, fs.ErrNotExist) || err == nil && string(there) == string(text):
			return path, nil
		case s.force && n == 1: // of the configuration that gives way
			return path, nil
		case n > 99:
			return "", &fileError{fmt.Errorf("nothing was changed: %s and 98 like it are there", path)}
		}
	}
}

// commit gives all files their places, or none.
func (s *stage) commit(changes []change) (err error) {
	var done []change
	defer func() {
		if err == nil {
			return
		}
		for _, c := range done {
			switch {
			case c.kept != "":
				err = errors.Join(err, os.Rename(c.kept, c.to))
			case !c.there:
				err = errors.Join(err, os.Remove(c.to))
			}
		}
	}()
	for _, c := range changes {
		if c.kept != "" {
			if err := os.Link(c.to, c.kept); err != nil {
				return failed(err)
			}
		}
		if err := os.Rename(c.from, c.to); err != nil {
			if c.kept != "" {
				err = errors.Join(err, os.Remove(c.kept))
			}
			return failed(err)
		}
		done = append(done, c)
	}
	dir, err := os.Open(filepath.Dir(s.file))
	if err != nil {
		return failed(err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return failed(err)
	}
	return nil
}

// aside is the name under which a file is kept that gives way.
func aside(file string, now time.Time) (string, error) {
	name := file + "." + now.Format("20060102-150405")
	if _, err := os.Lstat(name); err == nil {
		return "", &fileError{fmt.Errorf("nothing was changed: %s is there already: try again in a second", name)}
	}
	return name, nil
}

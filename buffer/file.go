package buffer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lockFile keeps other processes, and other Stores of this one, away from the file before anything
// of it is touched. The lock ends with the process.
func lockFile(path string) (*os.File, error) {
	if err := checkDirectory(path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, notWritable(path, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		holder := make([]byte, 16)
		n, _ := f.ReadAt(holder, 0)
		f.Close()
		return nil, inUse(path, holder[:n], err)
	}
	if err := f.Truncate(0); err == nil {
		_, _ = fmt.Fprintln(f, os.Getpid()) // for the message above only
	}
	return f, nil
}

func inUse(path string, holder []byte, err error) error {
	return &OpenError{Path: path, Problem: ErrInUse, Err: err,
		Remedy: fmt.Sprintf("stop the process that has it open (process id %s)", bytes.TrimSpace(holder))}
}

func checkDirectory(path string) error {
	dir := filepath.Dir(path)
	switch st, err := os.Stat(dir); {
	case err != nil:
		return &OpenError{Path: path, Problem: ErrNoDirectory, Err: err, Remedy: "create " + dir + " (under systemd: StateDirectory=)"}
	case !st.IsDir():
		return &OpenError{Path: path, Problem: ErrNoDirectory, Err: fmt.Errorf("%s is a file", dir), Remedy: "move it away, or choose another path"}
	}
	return nil
}

// checkRegular returns an error if something other than a regular file has one of the names that
// the store uses: opening it could block, or have an effect.
func checkRegular(path string) error {
	for _, name := range []string{path, path + "-wal", path + "-journal", path + "-shm", path + ".lock", ballastPath(path), damagedPath(path)} {
		st, err := os.Stat(name)
		if err == nil && !st.Mode().IsRegular() {
			return &OpenError{Path: path, Problem: ErrNotRegular, Err: errors.New(name + " is not a regular file"), Remedy: "move " + name + " away, or choose another path"}
		}
	}
	return nil
}

// inspect looks at the header before SQLite does. It returns damage if the file is a store of this
// package that has to be set aside, and an error if it is something else, which must not be
// overwritten.
func inspect(path string, marked bool) (damage, err error) {
	header, err := readHeader(path)
	if errors.As(err, new(*OpenError)) {
		return nil, err
	}
	if err != nil || len(header) == 0 {
		return err, nil
	}
	if err := foreign(path, header); err != nil {
		return nil, err // what seems damaged may be new
	}
	switch sqlite, ours := identify(header); {
	case ours && sqlite && !marked:
		return checkAndTrimLog(path)
	case ours && marked:
		return errors.New("it was found damaged while it was in use"), nil
	case ours, !sqlite:
		return errors.New("the header is damaged"), nil
	}
	return nil, nil
}

// readHeader returns the first 100 bytes of a file, or what there is of them; nothing if there is
// no file. An *OpenError says that it cannot be opened.
func readHeader(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, notWritable(path, err)
	}
	defer f.Close()
	header := make([]byte, 100)
	n, err := f.ReadAt(header, 0)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("reading the header: %w", err)
	}
	return header[:n], nil
}

// createPrivate makes an empty file for the owner alone if there is none: SQLite would let everyone
// read it. The log gets the same rights.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return notWritable(path, err)
	}
	return f.Close()
}

// identify reports from a header whether it is one of SQLite and whether the file belongs to this
// package.
func identify(header []byte) (sqlite, ours bool) {
	return bytes.HasPrefix(header, []byte("SQLite format 3\x00")),
		application(header) == applicationID
}

// application returns the application id of a header; 0: it has none.
func application(header []byte) int64 {
	if len(header) < 72 {
		return 0
	}
	return int64(binary.BigEndian.Uint32(header[68:]))
}

// foreign returns an error where a file with this header, its first 100 bytes or all of them, is
// not a store, or one that a newer version made.
func foreign(path string, header []byte) error {
	switch sqlite, ours := identify(header); {
	case ours && sqlite:
		return checkVersion(path, int64(binary.BigEndian.Uint32(header[60:])))
	case ours, !sqlite && fileSize(ballastPath(path)) > 0, sqlite && application(header) == unreleasedID:
		return nil
	case sqlite && len(header) == 100 && isFresh(header):
		return nil
	case sqlite:
		return &OpenError{Path: path, Problem: ErrNotDatabase, Err: errors.New("it is an SQLite database of another program"),
			Remedy: "choose another path, or move the file away"}
	}
	return &OpenError{Path: path, Problem: ErrNotDatabase,
		Remedy: "choose another path, or move the file away"}
}

// checkVersion returns an error if a newer version made the store.
func checkVersion(path string, version int64) error {
	if version <= schemaVersion {
		return nil
	}
	return &OpenError{Path: path, Problem: ErrNewer, Err: fmt.Errorf("schema version %d, this program knows %d", version, schemaVersion),
		Remedy: "install the newer version again, or move the file away"}
}

// isFresh reports that the header is of a database without any content: a power cut may leave that
// of a new store.
func isFresh(header []byte) bool {
	return binary.BigEndian.Uint32(header[28:]) <= 1 && binary.BigEndian.Uint32(header[40:]) == 0 &&
		application(header) == 0
}

// The mark makes the next Open set the file aside. From before that happens until the new store is
// made it names the path that the damaged one gets.
func damagedPath(path string) string { return path + ".damaged" }

func (c *committer) markDamaged() {
	path := damagedPath(c.s.path)
	if fileSize(path) > 0 {
		return
	}
	if os.WriteFile(path, []byte("set the store aside at the next start\n"), 0o600) == nil {
		_ = syncDir(path)
	}
}

// setAside renames a damaged store, log included, and removes one that was set aside before: two
// would exceed the space that the store may use.
func setAside(path string) (string, error) {
	older, _ := filepath.Glob(escapeGlob(path) + ".corrupt-*")
	for _, o := range older {
		if !strings.HasSuffix(o, "-wal") && !strings.HasSuffix(o, "-shm") {
			removeAside(o)
		}
	}
	aside := path + ".corrupt-" + time.Now().UTC().Format("20060102T150405Z")
	if err := errors.Join(os.WriteFile(damagedPath(path), []byte(aside), 0o600), syncDir(path)); err != nil {
		return "", notWritable(path, err)
	}
	if err := os.Rename(path, aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", notWritable(path, err)
	}
	return aside, setAsideLog(path, aside)
}

// setAsideLog renames what belongs to a database that was renamed.
func setAsideLog(path, aside string) error {
	for _, suffix := range []string{"-wal", "-journal"} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return notWritable(path, err)
		}
	}
	os.Remove(path + "-shm")
	return syncDir(path)
}

// resumeSetAside goes on with setting a damaged store aside after an interruption. It returns the
// path of a store that was set aside although the new one may not have been made, or "", and
// reports whether the store is still to be set aside.
func resumeSetAside(path string) (aside string, marked bool, err error) {
	mark := readMark(path)
	aside = string(mark)
	if !strings.HasPrefix(aside, path+".corrupt-") || fileSize(aside) == 0 {
		return "", len(mark) > 0, nil
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return aside, false, setAsideLog(path, aside)
	}
	return aside, false, nil
}

// readMark returns the mark of a damaged store, or nil if there is none.
func readMark(path string) []byte {
	f, err := os.Open(damagedPath(path))
	if err != nil {
		return nil
	}
	defer f.Close()
	mark, _ := io.ReadAll(io.LimitReader(f, 2*unix.PathMax))
	return mark
}

func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

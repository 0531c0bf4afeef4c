package buffer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"
)

// lookEvery is how often the committer looks whether the files that it has open still have their
// names.
const lookEvery = time.Minute

// errVanished says that the store's file is not there any more although it was in use.
var errVanished = errors.New("the file of the store was removed or replaced while it was in use")

// A fileID is what a name stands for; zero: nothing.
type fileID struct{ dev, ino uint64 }

func identity(path string) fileID {
	st, err := os.Stat(path)
	if err != nil {
		return fileID{}
	}
	return identityOf(st)
}

func identityOf(st fs.FileInfo) fileID {
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return fileID{}
	}
	return fileID{uint64(sys.Dev), sys.Ino}
}

// names are the files that the connection has open.
type names struct{ database, log fileID }

func namesAt(path string) names { return names{identity(path), identity(path + "-wal")} }

// checkNames checks whether the files that are open still have their names, and heals a store whose
// files lost them: what is written to them would be gone with the process. If that fails it is
// tried again with the next look and before the end; the store is degraded meanwhile.
func (c *committer) checkNames() {
	s := c.s
	c.lookAt = s.o.Up() + lookEvery
	if c.lock == nil { // it could not be opened yet
		return
	}
	if err := c.keepLock(); err != nil {
		s.log.Error("the lock of the store was removed and cannot be taken again", "path", s.path, "err", err)
	}
	if c.db == nil {
		c.replaceVanished()
		return
	}
	is := namesAt(s.path)
	switch {
	case is.database != c.names.database:
		if c.nameless == nil {
			s.log.Error("the file of the store was removed or replaced while it was in use", "path", s.path)
		}
		// the file without a name goes on, as long as the process does
		if c.nameless = c.rescue(); c.nameless != nil {
			c.nameless = fmt.Errorf("%w; what it holds cannot be written to a new one: %w", errVanished, c.nameless)
			c.degrade(c.nameless)
			return
		}
		s.log.Info("what the store held was written to a new file", "path", s.path)
	case is.log != c.names.log:
		s.log.Error("the write-ahead log of the store was removed while it was in use; beginning a new one", "path", s.path+"-wal")
		c.checkpoint()
		c.disconnect()
		if _, err := c.recover(); err != nil {
			c.degrade(err)
		}
	}
}

// replaceVanished makes a new store if the connection was lost and there is no file any more, at
// the second look: what was on the disk is in the ledger as unknown.
func (c *committer) replaceVanished() {
	gone := c.gone
	if c.gone = fileSize(c.s.path) == 0; !c.gone || !gone {
		return
	}
	if err := c.replace(errVanished); err != nil {
		c.degrade(errors.Join(errVanished, err))
	}
}

// rescue writes the database, whose file has no name any more, to a new file of the old name, and
// goes on with that.
func (c *committer) rescue() error {
	s := c.s
	if fileSize(s.path) > 0 { // another one has the name now
		if err := os.Rename(s.path, s.path+".replaced-"+time.Now().UTC().Format("20060102T150405Z")); err != nil {
			return notWritable(s.path, err)
		}
	}
	// it is not that of the new file
	if err := os.Remove(s.path + "-wal"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return notWritable(s.path, err)
	}
	f, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return notWritable(s.path, err)
	}
	defer f.Close()
	err = c.db.exec("VACUUM INTO '" + strings.ReplaceAll(s.path, "'", "''") + "'")
	if err == nil {
		err = errors.Join(f.Sync(), syncDir(s.path)) // SQLite does not
	}
	if err != nil {
		_ = os.Remove(s.path)
		return fmt.Errorf("writing %s: %w", s.path, err)
	}
	c.disconnect()
	_, err = c.recover()
	return err
}

// keepLock takes the lock again if its file was removed: otherwise another process could open the
// store as well.
func (c *committer) keepLock() error {
	st, err := c.lock.Stat()
	if err == nil && identityOf(st) == identity(c.lock.Name()) {
		return nil
	}
	lock, err := lockFile(c.s.path)
	if err == nil {
		c.lock.Close()
		c.lock = lock
	}
	return err
}

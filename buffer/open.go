package buffer

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/mattn/go-sqlite3"
)

// open opens the file, makes it if there is none, sets a damaged one aside, and commits the new
// run.
func (c *committer) open() error {
	s := c.s
	var err error
	if c.codec == nil {
		if c.codec, err = newCodec(); err != nil {
			return err
		}
	}
	if err = checkFileSystem(s.path); err != nil {
		return err
	}
	if err = checkRegular(s.path); err != nil {
		return err
	}
	if c.lock, err = lockFile(s.path); err != nil {
		return err
	}
	if err = c.moveUnreleased(); err != nil {
		return err
	}
	aside, marked, err := resumeSetAside(s.path)
	if err != nil {
		return err
	}
	if c.aside = aside; aside != "" {
		s.mu.Lock()
		s.opened = Opened{SetAside: aside, Cause: "it was found damaged"}
		s.mu.Unlock()
	}
	damage, err := inspect(s.path, marked)
	if err != nil {
		return err
	}
	if damage == nil {
		if err = c.begin(); isDamaged(err) {
			damage = err
			c.disconnect()
		}
	}
	if damage != nil {
		if err := c.setAside(damage); err != nil {
			return err
		}
		if err := c.begin(); err != nil {
			return c.openError(err)
		}
	} else if err != nil {
		return c.openError(err)
	}
	if fs := InRAM(s.path); fs != "" {
		s.log.Warn("store is in RAM: a power cut loses all of it", "path", s.path, "file_system", fs)
	}
	os.Remove(damagedPath(s.path))
	c.findAside()
	if err := c.resumeSalvage(); err != nil {
		return c.openError(err)
	}
	for cl := range classCount {
		err := c.load(cl)
		if isDamaged(err) {
			err = c.replace(err)
		}
		if err != nil && err != errIncomplete {
			return c.openError(err)
		}
	}
	return nil
}

// moveUnreleased moves away what a version from before the first release made.
func (c *committer) moveUnreleased() error {
	path := c.s.path
	header, _ := readHeader(path) // inspect meets the same error
	if application(header) != unreleasedID {
		return nil
	}
	aside := path + ".unreleased"
	for _, suffix := range []string{"", "-wal"} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return notWritable(path, err)
		}
	}
	c.s.log.Warn("the store was made by a version from before the first release; it was moved aside and its records are not sent", "path", path, "aside", aside)
	return syncDir(path)
}

// openError adds what an operator can do about an error of SQLite.
func (c *committer) openError(err error) error {
	var e *OpenError
	path := c.s.path
	switch {
	case errors.As(err, &e):
		return err
	case hasCode(err, sqlite3.ErrBusy), hasCode(err, sqlite3.ErrLocked):
		return &OpenError{Path: path, Problem: ErrInUse, Err: err, Remedy: "close the program that has it open, for example sqlite3"}
	case hasCode(err, sqlite3.ErrReadonly), hasCode(err, sqlite3.ErrCantOpen), hasCode(err, sqlite3.ErrPerm):
		return notWritable(path, err)
	case isFull(err):
		return &OpenError{Path: path, Problem: ErrFull, Err: err, Remedy: "free space on the file system, or raise the limit of the store"}
	case errors.Is(err, ErrSettings):
		return &OpenError{Path: path, Problem: ErrSettings, Err: err, Remedy: "use a file system that supports SQLite's write-ahead log"}
	}
	return fmt.Errorf("buffer: open %s: %w", path, err)
}

// begin opens the database, creates what is missing and commits the run.
func (c *committer) begin() error {
	s := c.s
	defer c.account()
	fresh := fileSize(s.path) == 0
	if fresh {
		if err := createPrivate(s.path); err != nil {
			return err
		}
	}
	var err error
	if c.db, err = connect(s.path, s.limits, true); err != nil {
		return err
	}
	c.makeBallast()
	if fresh {
		if err := syncDir(s.path); err != nil {
			return err
		}
	}
	version, err := c.db.number("PRAGMA user_version")
	if err != nil {
		return err
	}
	err = c.beginRun(version)
	if isFull(err) && c.dropBallast() {
		c.db.rollback()
		err = c.beginRun(version)
	}
	if err != nil {
		c.db.rollback()
		return err
	}
	if version == 0 {
		c.checkpoint() // identity and schema of a store are not in its log alone
	}
	c.names, c.lookAt = namesAt(s.path), s.o.Up()+lookEvery
	used, err := c.used()
	if err != nil {
		return err
	}
	c.usable = c.mayUse()
	s.mu.Lock()
	defer s.mu.Unlock()
	c.measureSpaceLocked(used)
	return nil
}

// create makes a new store, which inherits from a damaged one that was set aside now.
func (c *committer) create() error {
	if err := c.createTables(); err != nil {
		return err
	}
	begin := progress{counters: counters{Next: 1}}
	if c.aside == "" {
		c.s.mu.Lock()
		c.s.opened.New = true
		c.s.mu.Unlock()
	} else {
		var err error
		if begin, err = c.inherit(); err != nil {
			return err
		}
	}
	return c.db.saveProgress(begin)
}

func (c *committer) createTables() error {
	for _, q := range schema {
		if err := c.db.exec(q); hasCode(err, sqlite3.ErrError) {
			// it has tables, but its header says that it is new
			return fmt.Errorf("%w: %w", errBadSchema, err)
		} else if err != nil {
			return err
		}
	}
	return c.db.exec(fmt.Sprintf("PRAGMA user_version=%d", schemaVersion))
}

// identify reads the identity of the store. It makes a new one if there is none or if the card was
// cloned.
func (c *committer) identify() error {
	s := c.s
	id, err := c.db.stateText("store")
	if err != nil {
		return err
	}
	machine, err := c.db.stateText("machine")
	if err != nil {
		return err
	}
	if id == "" || machine != s.o.Machine {
		if id != "" {
			s.log.Warn("store was made on another machine; it gets a new id", "path", s.path, "old", id)
		}
		var b [4]byte
		rand.Read(b[:])
		id = hex.EncodeToString(b[:])
		if err := c.db.setState("store", id); err != nil {
			return err
		}
		if err := c.db.setState("machine", s.o.Machine); err != nil {
			return err
		}
	}
	s.mu.Lock()
	s.id = id
	s.mu.Unlock()
	return nil
}

package buffer

import (
	"errors"
	"fmt"

	"github.com/mattn/go-sqlite3"
	"golang.org/x/sys/unix"
)

// mayPass reports that a store which cannot be opened now may open later without anybody changing
// the configuration: a card that has become read-only, that fails, or that is full.
func mayPass(err error) bool {
	for _, no := range []unix.Errno{unix.EROFS, unix.EIO, unix.ENOSPC, unix.EDQUOT, unix.ENXIO, unix.ENODEV, unix.EUCLEAN} {
		if errors.Is(err, no) {
			return true
		}
	}
	return hasCode(err, sqlite3.ErrIoErr) || isFull(err) || errors.Is(err, ErrFull)
}

// beginUnopened lets the store work from RAM: its run needs no file. It is opened by the first
// commit that can.
func (c *committer) beginUnopened(err error) {
	s := c.s
	s.mu.Lock()
	s.unopened = true
	for i := range s.space {
		s.space[i] = int64(s.limits.front) // what is taken in has room there, if nowhere else
	}
	s.mu.Unlock()
	c.closeFiles()
	c.degrade(fmt.Errorf("it cannot be opened: %w", err))
}

// openLate opens a store that has worked from RAM so far.
func (c *committer) openLate() error {
	s := c.s
	err := c.open()
	if err != nil && !c.begun {
		c.closeFiles()
		return fmt.Errorf("opening it: %w", err)
	}
	s.mu.Lock()
	s.unopened = false
	if err == nil {
		s.degraded, s.retryAt, c.backoff = nil, 0, 0
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	s.log.Info("store is open", "path", s.path)
	s.wakeTaker()
	return nil
}

// closeFiles undoes a half of open.
func (c *committer) closeFiles() {
	if c.salvage != nil && c.salvage.old != nil {
		_ = c.salvage.old.db.close()
	}
	c.salvage = nil
	c.disconnect()
	if c.lock != nil {
		c.lock.Close()
		c.lock = nil
	}
}

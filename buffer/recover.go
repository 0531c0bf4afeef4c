package buffer

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// degrade notes that the storage fails. Records are kept in RAM and can be taken from there; the
// commit is tried again after growing pauses.
func (c *committer) degrade(err error) {
	s := c.s
	if isDamaged(err) {
		err = fmt.Errorf("the database is damaged; the next start sets it aside: %w", err)
		c.markDamaged()
	}
	if isReadOnly(c.s.path) && !errors.Is(err, unix.EROFS) {
		err = fmt.Errorf("%w: %w", notWritable(c.s.path, unix.EROFS), err) // SQLite does not say it
	}
	c.backoff = min(max(2*c.backoff, time.Second), time.Minute)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.degraded == nil {
		s.log.Error("store does not commit: readings are kept in memory only", "path", s.path, "err", err)
	}
	s.degraded = err
	s.retryAt = s.o.Up() + c.backoff
	s.releaseHeldLocked()
	s.wakeTaker()
}

// releaseHeldLocked lets Take have what waits in the front to become durable: for now it does not.
func (s *Store) releaseHeldLocked() {
	for i := range s.shelves {
		for _, seg := range s.shelves[i].unstored() {
			if seg.private {
				continue
			}
			for _, it := range seg.items {
				if it.state == held {
					it.state = waiting
					seg.waiting++
				}
			}
		}
	}
}

// disconnect gives up the connection after an error that leaves its state unknown.
func (c *committer) disconnect() {
	if c.db != nil {
		_ = c.db.close()
		c.db = nil
	}
}

// recover makes a usable connection again if there is none and finds out whether the transaction in
// doubt has happened: it applies and returns it, or undoes it. What it finds is durable: a
// checkpoint has written it again, since the kernel may hold pages for clean that it could not
// write.
func (c *committer) recover() (*txn, error) {
	if c.s.isUnopened() {
		return nil, c.openLate()
	}
	if c.inDoubt != nil {
		c.disconnect()
	}
	if c.db != nil {
		return nil, nil
	}
	if fileSize(c.s.path) == 0 {
		return nil, errVanished
	}
	d, err := connect(c.s.path, c.s.limits, false)
	if err != nil {
		return nil, fmt.Errorf("opening it again: %w", err)
	}
	var busy int64
	err = d.query("PRAGMA wal_checkpoint(RESTART)", func(v []driver.Value) bool {
		busy, _ = v[0].(int64)
		return false
	})
	if err == nil && busy != 0 {
		err = errors.New("checkpoint after a failure is blocked")
	}
	var stored progress
	if err == nil {
		stored, err = d.loadProgress()
	}
	if err != nil {
		d.close()
		return nil, fmt.Errorf("reading it again: %w", err)
	}
	c.db, c.names = d, namesAt(c.s.path)
	t := c.inDoubt
	c.inDoubt = nil
	switch {
	case t == nil:
		return nil, nil
	case stored.Commit == t.n.Commit:
		c.apply(t)
		return t, nil
	}
	c.undo(t)
	return nil, nil
}

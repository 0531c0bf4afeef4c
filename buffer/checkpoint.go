package buffer

import (
	"database/sql/driver"
	"os"
)

// runCheckpoint copies the log into the database as far as mode says. It returns the pages in the
// log and how many of them have been copied by now.
func (c *committer) runCheckpoint(mode string) (pages, copied int64, err error) {
	err = c.db.query("PRAGMA wal_checkpoint("+mode+")", func(v []driver.Value) bool {
		pages, _ = v[1].(int64)
		copied, _ = v[2].(int64)
		return false
	})
	return pages, copied, err
}

// checkpoint empties the log, so that the next transaction does not have to make it longer, and
// reports whether it did.
func (c *committer) checkpoint() bool {
	pages, copied, err := c.runCheckpoint("PASSIVE")
	return err == nil && pages > 0 && pages == copied
}

// logEnd returns where the last frame of the log ends.
func (c *committer) logEnd() (int64, error) {
	pages, _, err := c.runCheckpoint("NOOP")
	return logHeader + pages*(frameHeader+c.db.pageSize), err
}

// tendLog does between commits what a commit would have to do otherwise, and those who wait for it
// would wait for that: it copies the log before it is so long that SQLite does, and makes it
// longer. What fails here commits do.
func (c *committer) tendLog() {
	defer c.account()
	end, err := c.logEnd()
	switch l := c.s.limits; {
	case err != nil:
	case end >= l.log-l.log/8:
		c.checkpoint()
	default:
		c.growLog(end)
	}
}

// growLog makes the log longer if its last frame, which ends at end, is near the end of the file.
// To each commit that does it the file system would add the new length, at twice the bytes and the
// time. Behind the last frame the log has zeros then, which are not a frame; what is in it stays as
// it is. No room is taken from MinFree.
func (c *committer) growLog(end int64) {
	l, path := c.s.limits, c.s.path+"-wal"
	size := fileSize(path)
	step := min(size, l.log/16, l.log-size)
	if step <= 0 || end < size-step/2 {
		return
	}
	if f := free(path); f >= 0 && f-c.s.o.MinFree < l.log {
		return
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if _, err := f.WriteAt(make([]byte, step), size); err == nil {
		_ = f.Sync()
	}
}

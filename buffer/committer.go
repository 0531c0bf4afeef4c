package buffer

import (
	"os"
	"runtime"
	"time"
)

// A committer is the one goroutine that uses the database. It is locked to its thread, so that the
// thread's I/O account is that of SQLite.
type committer struct {
	s       *Store
	db      *db // nil while it cannot be opened again
	codec   *codec
	n       counters // as stored
	marks   []mark   // as stored
	inDoubt *txn     // its COMMIT failed: it may have happened
	file    int64    // bytes of the database, at the last look
	// bytes of it that the file system permits, at the begin of the transaction
	usable  int64
	ballast int64           // bytes of the ballast file
	runs    map[string]*run // of this store, those asked for last

	thinFrom   [classCount][ThinLevels]uint64 // the last segment of each level that was thinned
	salvage    *salvage                       // nil: there is nothing to salvage
	plan       salvagePlan                    // of a new store, until salvage begins
	aside      string                         // the damaged store that is kept; empty: none
	replacedAt time.Duration                  // when a damaged store was last replaced in use

	thinWrong bool // Options.Thin broke its promise: reported once

	backoff  time.Duration
	written  ioCounter
	counted  uint64 // of it
	lock     *os.File
	names    names         // of what db has open
	lookAt   time.Duration // when to look at them again
	first    uint64        // number of the event of Options.First; 0: not given yet
	begun    bool          // the row of this run is durable
	gone     bool          // at the last look there was neither a connection nor a file
	nameless error         // why the database has no name; nil: it has one
}

// serve opens the store, reports that, and works until Close.
func (s *Store) serve(opened chan<- error) {
	runtime.LockOSThread() // and never unlocks: the thread ends with the goroutine
	defer close(s.stopped)
	c := &committer{s: s, runs: make(map[string]*run), written: newIOCounter()}
	defer c.written.close()
	c.counted = c.written.read() // the thread may have had another life
	s.o.Beat(0)
	switch err := c.open(); {
	case mayPass(err) && c.begun:
		c.degrade(err)
	case mayPass(err):
		c.beginUnopened(err)
	case err != nil:
		c.closeAll()
		opened <- err
		return
	}
	opened <- nil
	c.loop()
	c.closeAll()
}

func (c *committer) loop() {
	s := c.s
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		s.o.Beat(0)
		s.mu.Lock()
		reads := s.reads
		s.reads = nil
		closing := s.closing
		wait := s.dueLocked(s.o.Up())
		s.mu.Unlock()

		for _, j := range reads {
			s.o.Beat(0)
			if c.db == nil {
				j.err = ErrNotDurable
			} else {
				if j.err = j.read(c); isDamaged(j.err) && c.replace(j.err) == nil {
					j.err = j.read(c)
				}
			}
			close(j.done)
		}
		switch {
		case closing:
			if c.nameless != nil {
				c.checkNames()
			}
			// The log is copied before the last commit, which then starts it over: the next Open
			// reads only that.
			if c.commit(false) == nil {
				c.checkpoint()
			}
			s.closeErr = c.commit(true)
			return
		case wait <= 0:
			// those who wait for it get the error, others see it in Stats and in the log
			if c.commit(false) == nil {
				c.tendLog()
			}
			continue
		case len(reads) > 0:
			continue
		case c.salvage != nil && c.db != nil && s.o.Up() >= c.salvage.at:
			c.salvageSome()
			c.tendLog()
			continue
		case s.o.Up() >= c.lookAt:
			c.checkNames()
			continue
		case c.salvage != nil:
			wait = min(wait, max(c.salvage.at-s.o.Up(), time.Second))
		}
		wait = min(wait, max(c.lookAt-s.o.Up(), 0))
		timer.Reset(wait)
		s.o.Beat(wait)
		select {
		case <-s.wake:
		case <-timer.C:
		}
	}
}

// account counts the bytes written since it was called last.
func (c *committer) account() {
	n := c.written.read()
	c.s.mu.Lock()
	c.s.stats.WrittenBytes += n - c.counted
	c.s.mu.Unlock()
	c.counted = n
}

// closeAll closes the files and fails the jobs that nobody will do any more.
func (c *committer) closeAll() {
	s := c.s
	if c.salvage != nil && c.salvage.old != nil {
		_ = c.salvage.old.db.close()
	}
	if c.db != nil {
		err := c.db.close()
		c.account()
		if s.closeErr == nil {
			s.closeErr = err
		}
		c.db = nil
	}
	if c.lock != nil {
		c.lock.Close()
	}
	s.mu.Lock()
	jobs := append(s.reads, s.writes...)
	s.reads, s.writes = nil, nil
	s.mu.Unlock()
	for _, j := range jobs {
		j.err = ErrClosed
		close(j.done)
	}
}

package buffer

import (
	"errors"
	"fmt"
	"time"
)

// commit writes everything that is pending in one transaction and answers those who wait for it. If
// the storage fails it tries once more on a new connection; after that the store is degraded: it
// works from RAM.
func (c *committer) commit(clean bool) error {
	s := c.s
	s.mu.Lock()
	jobs := s.writes
	s.writes = nil
	s.mu.Unlock()

	var rounds []*round
	var t *txn
	start := s.o.Up()
	_, err := c.recover()
	if isFull(err) && c.dropBallast() { // the log has no room in the database
		_, err = c.recover()
	}
	if err == nil {
		t, err = c.attempt(jobs, clean, &rounds)
	}
	for _, makeSpace := range []func() bool{c.checkpoint, c.sacrifice} {
		if isFull(err) && c.db != nil && makeSpace() {
			t, err = c.attempt(jobs, clean, &rounds)
		}
	}
	if isDamaged(err) {
		if e := c.replace(err); e != nil {
			err = errors.Join(err, e)
		} else {
			t, err = c.attempt(jobs, clean, &rounds)
		}
	}
	if err != nil && !isFull(err) && !isDamaged(err) && c.db != nil {
		c.disconnect()
		first := err
		if t, err = c.recover(); err == nil && t == nil {
			t, err = c.attempt(jobs, clean, &rounds)
		} else if err != nil {
			err = errors.Join(first, err)
		}
	}
	if err != nil {
		c.degrade(err)
		err = fmt.Errorf("%w: %w", ErrNotDurable, err)
	} else if t != nil {
		err = c.finishCommit(t, start)
	}
	s.mu.Lock()
	if len(rounds) == 0 {
		rounds = append(rounds, s.round)
		s.round = newRound()
	}
	close(s.ended)
	s.ended = make(chan struct{})
	s.mu.Unlock()
	for _, r := range rounds {
		r.err = err
		close(r.done)
	}
	for _, j := range jobs {
		if j.err == nil && (j.flush || c.degradedNow()) {
			j.err = err
		}
		close(j.done)
	}
	return err
}

func (c *committer) degradedNow() bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.s.degraded != nil
}

// finishCommit accounts for a commit that is durable. Its error says that the front found no room.
func (c *committer) finishCommit(t *txn, start time.Duration) error {
	s := c.s
	if c.ballast < s.limits.ballast {
		c.makeBallast()
	}
	c.removeOversizedAside()
	size, log, used, err := c.size()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Up()
	s.stats.Commits++
	s.stats.EventBytes = t.n.Bytes[eventClass]
	s.stats.LastCommit = now - start
	s.slow.note(now-start, now)
	if t.oldest >= 0 && s.o.MaxLoss > 0 && now-t.oldest > s.o.MaxLoss {
		s.stats.Overruns++
	}
	if s.degraded != nil && c.nameless == nil {
		s.log.Info("store is durable again", "path", s.path, "front", s.front)
		s.degraded = nil
	}
	c.backoff = 0
	s.retryAt = 0
	if err == nil {
		s.stats.Bytes, s.stats.LogBytes = size, log
		for cl := range classCount {
			front := c.margin()
			for _, seg := range s.shelves[cl].unstored() {
				front += c.db.spaceFor(seg.cost)
			}
			limit, option := c.limitWithReserve(cl, t.n, used)
			if cl == normalClass {
				s.stats.Limit = option
			}
			s.setFullLocked(cl, t.skipped[cl] || used+front > limit, used+front < limit-limit/16, option)
		}
	}
	s.noRoom = len(t.unstored) > 0
	for i, skipped := range t.skipped {
		if skipped {
			s.retryAt = now + time.Second
			s.releaseHeldLocked()
			s.wakeTaker()
			return fmt.Errorf("%s do not fit in the store: %w", tables[i], ErrNotDurable)
		}
	}
	return nil
}

// setFullLocked notes whether a class is full and logs the change; the readings of all priorities
// are full together, or nearly. limit is the option that has been reached.
func (s *Store) setFullLocked(cl class, full, roomy bool, limit string) {
	s.full[cl] = full
	switch {
	case cl == lowClass || cl == highClass:
	case full && !s.fullTold[cl]:
		s.fullTold[cl] = true
		s.log.Warn("store is full", "path", s.path, "class", tables[cl], "limit", limit, "bytes", s.stats.Bytes, "max_bytes", s.o.MaxBytes,
			"min_free", s.o.MinFree)
	case !full && roomy && s.fullTold[cl]:
		s.fullTold[cl] = false
		s.log.Info("store has room again", "path", s.path, "class", tables[cl], "bytes", s.stats.Bytes)
	}
}

// attempt makes one transaction. It returns nil if there was nothing to write. After an error
// nothing has changed in RAM, except that the front is sealed. c.inDoubt is the transaction if its
// COMMIT failed: it may have happened, which recover finds out.
func (c *committer) attempt(jobs []*job, clean bool, rounds *[]*round) (t *txn, err error) {
	if len(jobs) == 0 && !clean && !c.pending() {
		return nil, nil
	}
	defer c.account()
	c.usable = c.mayUse()
	if err := c.db.begin(); err != nil {
		return nil, err
	}
	t = &txn{n: c.n, marks: c.marks, open: make(map[lossKey]Loss), clean: clean, oldest: -1}
	appends := c.runJobs(jobs)
	c.writeSoon(t)
	c.build(t, jobs, appends, rounds)
	if err = c.write(t); err == nil {
		if err = c.db.commit(); err == nil {
			c.apply(t)
			return t, nil
		}
		if !isFull(err) {
			c.inDoubt = t
			return nil, err
		}
	}
	c.db.rollback()
	c.undo(t)
	return nil, err
}

// runJobs runs the updates, each in its own savepoint, and returns what they append. The error of
// an update is its own.
func (c *committer) runJobs(jobs []*job) (appends []pendingAppend) {
	for _, j := range jobs {
		if j.update == nil {
			continue
		}
		tx := &Tx{s: c.s, db: c.db}
		if j.err = c.db.control("SAVEPOINT job"); j.err != nil {
			continue
		}
		if j.err = j.update(tx); j.err != nil {
			_ = c.db.control("ROLLBACK TO job")
		} else {
			appends = append(appends, tx.appends...)
		}
		_ = c.db.control("RELEASE job")
	}
	return appends
}

// pending reports whether anything is to be committed.
func (c *committer) pending() bool {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.front > 0 || s.dirty > 0 || len(s.removed) > 0 || len(s.losses.acked) > 0 || s.expire || s.unroutedDueLocked(s.o.Up())
}

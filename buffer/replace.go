package buffer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Opened says where the content of the store comes from.
type Opened struct {
	New bool // Open made the file

	// SetAside is the path of the damaged store that this one replaced, at Open or since; empty if
	// there is none, and then the rest is zero.
	SetAside  string
	Cause     string // what was wrong with it
	Salvaging bool   // records are still being read from it
	Salvaged  int64  // records found in it so far
	Lost      int64  // records that could not be found; -1 if not known, 0 while Salvaging
}

// Opened returns where the content of the store comes from.
func (s *Store) Opened() Opened {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened
}

// setAside puts a damaged store away and notes where.
func (c *committer) setAside(cause error) error {
	aside, err := setAside(c.s.path)
	if err != nil {
		return err
	}
	c.aside = aside
	c.s.mu.Lock()
	c.s.opened = Opened{SetAside: aside, Cause: cause.Error()}
	c.s.mu.Unlock()
	c.s.log.Error("damaged store set aside, beginning a new one", "path", c.s.path, "aside", aside, "err", cause)
	return nil
}

// findAside looks for what an earlier run has set aside.
func (c *committer) findAside() {
	found, _ := filepath.Glob(escapeGlob(c.s.path) + ".corrupt-*Z")
	if len(found) > 0 {
		c.aside = found[len(found)-1]
	}
}

// inherit takes over the small tables of the store that was set aside. It runs in the transaction
// that makes the new one and returns what to begin with. What cannot be read is not there.
func (c *committer) inherit() (progress, error) {
	begin := progress{counters: counters{Next: 1}}
	c.plan = salvagePlan{Aside: c.aside, Last: map[string]uint64{}}
	logDamage, _ := checkAndTrimLog(c.aside) // before SQLite, which removes the log
	old, err := openDamaged(c.aside)
	if err == nil {
		c.plan, begin, err = old.transplant(c.db, logDamage == nil)
		_ = old.db.close()
		if err != nil {
			return begin, err
		}
		c.plan.Aside = c.aside
	}
	return begin, c.plan.save(c.db)
}

// replaceEvery is how often a damaged store is replaced while in use: a disk that damages each new
// one needs an operator.
const replaceEvery = time.Minute

// replace sets a store aside that was found damaged while it was in use, and goes on with a new
// file under the same identity: run and numbers go on in RAM, so nothing is used twice. What is in
// RAM is stored again; the rest is salvaged.
func (c *committer) replace(cause error) error {
	s := c.s
	now := s.o.Up()
	if errors.Is(cause, errVanished) {
		if err := c.keepLock(); err != nil {
			return err
		}
	} else if c.replacedAt > 0 && now < c.replacedAt+replaceEvery {
		return errors.New("the new store was damaged within a minute")
	} else {
		c.replacedAt = now
	}
	if c.inDoubt != nil {
		c.undo(c.inDoubt)
		c.inDoubt = nil
	}
	c.disconnect()
	if c.salvage != nil && c.salvage.old != nil {
		_ = c.salvage.old.db.close()
	}
	c.salvage = nil
	if err := c.setAside(cause); err != nil {
		return err
	}
	if err := createPrivate(s.path); err != nil {
		return err
	}
	d, err := connect(s.path, s.limits, true)
	if err != nil {
		return fmt.Errorf("making a new store: %w", err)
	}
	c.db = d
	n, err := c.remake()
	if err != nil {
		c.db.rollback()
		c.disconnect()
		return fmt.Errorf("making a new store: %w", err)
	}
	c.checkpoint()
	c.names = namesAt(s.path)
	c.n = n
	skip := c.forgetDisk()
	clear(c.runs)
	os.Remove(damagedPath(s.path))
	c.startSalvage(c.plan)
	c.salvage.skip = skip
	return syncDir(s.path)
}

// remake makes the tables and rows of a store whose run goes on.
func (c *committer) remake() (counters, error) {
	s := c.s
	if err := c.db.begin(); err != nil {
		return counters{}, err
	}
	if err := c.createTables(); err != nil {
		return counters{}, err
	}
	begin, err := c.inherit()
	n := begin.counters
	if err != nil {
		return n, err
	}
	c.plan.Run = s.run.id
	s.mu.Lock()
	n.Next, n.Boot = max(n.Next, s.next), c.n.Boot
	s.next, n.Commit = n.Next, c.n.Commit
	s.mu.Unlock()
	for _, m := range c.marks {
		if m.kind == Readings && c.n.Boot == uint64(s.boot) {
			c.plan.Last[m.stream] = m.seq
		}
	}
	t := &txn{n: n, marks: c.marks}
	err = errors.Join(
		c.db.setState("store", s.id), c.db.setState("machine", s.o.Machine),
		c.insertRun(),
		c.plan.save(c.db), c.writeProgress(t))
	if err == nil {
		err = c.db.commit()
	}
	return t.n, err
}

// forgetDisk makes the state in RAM that of a store without segments: what is resident belongs to
// the front again. It returns their ids.
func (c *committer) forgetDisk() map[uint64]bool {
	s := c.s
	skip := make(map[uint64]bool)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replaced = s.next
	for i := range s.shelves {
		sh := &s.shelves[i]
		sh.depth = 0
		sh.passed = passed{}
		kept := sh.segments[:0]
		for _, seg := range sh.segments {
			skip[seg.id] = true
			if seg.stored {
				s.setCleanLocked(seg)
				s.cached -= seg.cost
				seg.stored, seg.bits = false, 0
				seg.unseal()
				for _, it := range seg.items {
					if it.state != done {
						s.front += it.cost()
					}
				}
			}
			if seg.left > 0 {
				sh.depth += int64(seg.left)
				kept = append(kept, seg)
			}
		}
		clear(sh.segments[len(kept):])
		sh.segments = kept
	}
	s.losses = lossState{rows: c.n.Losses, open: make(map[lossKey]Loss), taken: make(map[int64]bool)}
	s.stats.Dead = 0
	return skip
}

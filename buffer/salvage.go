package buffer

import (
	"encoding/json"
	"errors"
	"os"
	"time"
)

// errIncomplete says that what comes next is not on the disk yet.
var errIncomplete = errors.New("not stored or not salvaged yet")

const (
	// One transaction of salvage has at most so many segments and bytes: commits wait for it.
	salvageSegments = 32
	salvageBytes    = 256 << 10
)

// A salvage moves what can be read of a store that was set aside into the one that took its place,
// under the old identity, in the background, the oldest of each class first.
type salvage struct {
	plan salvagePlan
	old  *damagedStore
	skip map[uint64]bool // segments that were resident when the damage was found
	at   time.Duration   // not before
}

// startSalvage begins a plan or goes on with one. If the file cannot be opened, the ledger reports
// it as one in which nothing was found.
func (c *committer) startSalvage(plan salvagePlan) {
	c.salvage = &salvage{plan: plan}
	c.thinFrom = [classCount][ThinLevels]uint64{}
	var err error
	if c.salvage.old, err = openDamaged(plan.Aside); err != nil {
		c.s.log.Error("nothing can be salvaged", "path", plan.Aside, "err", err)
	}
	c.s.mu.Lock()
	c.s.opened.Salvaging = true
	c.s.mu.Unlock()
}

// resumeSalvage goes on with what an earlier run did not finish.
func (c *committer) resumeSalvage() error {
	text, err := c.db.stateText("salvage")
	if err != nil || text == "" {
		return err
	}
	var plan salvagePlan
	if json.Unmarshal([]byte(text), &plan) == nil {
		c.startSalvage(plan)
	}
	return nil
}

// mayLoad returns the id below which the segments of a class are complete.
func (v *salvage) mayLoad(cl class) uint64 {
	now, started := v.plan.class()
	switch {
	case !started || cl < now:
		return 0
	case cl == now:
		return v.plan.Next
	}
	return 1<<63 - 1
}

// salvageSome salvages some segments in one transaction.
func (c *committer) salvageSome() {
	s, v := c.s, c.salvage
	plan := v.plan
	done := false
	t := &txn{n: c.n, marks: c.marks, open: make(map[lossKey]Loss), oldest: -1}
	c.usable = c.mayUse()
	err := c.db.begin()
	if err == nil {
		if done, err = c.salvageInto(t, &v.plan); err == nil {
			if done {
				t.removed = v.plan.losses()
				err = c.db.exec(`DELETE FROM state WHERE key='salvage'`)
			} else {
				err = v.plan.save(c.db)
			}
		}
		if err == nil {
			err = c.writeLosses(t, s.losses.open)
		}
		if err == nil {
			err = c.writeProgress(t)
		}
		if err == nil {
			err = c.db.commit()
		}
	}
	if err != nil {
		v.plan, v.at = plan, s.o.Up()+10*time.Second
		c.db.rollback()
		c.undo(t)
		return
	}
	c.apply(t)
	s.mu.Lock()
	s.opened.Salvaged = v.plan.Found
	s.mu.Unlock()
	if done {
		c.endSalvage()
	}
}

// salvageInto reads and stores the next segments and reports whether there are no more, or no more
// room.
func (c *committer) salvageInto(t *txn, p *salvagePlan) (done bool, err error) {
	v := c.salvage
	if v.old == nil {
		return true, nil
	}
	size := 0
	for n := 0; n < salvageSegments && size < salvageBytes; n++ {
		cl, ok := p.class()
		if !ok {
			d, ok := v.old.dead(p.Next)
			if !ok {
				p.Table, p.Next = 1, 0
				continue
			}
			p.Next = uint64(d.ID) + 1
			size += len(d.Record.Body)
			if uint64(d.ID) < p.Below {
				t.dead = append(t.dead, d)
			}
			continue
		}
		r := v.old.readSegment(cl, p.Next)
		if r == nil {
			if p.Table, p.Next = p.Table+1, 0; cl == lowClass {
				done = true
				break
			}
			continue
		}
		p.Next = r.seg.id + 1
		stored, err := c.adoptOld(t, p, r)
		if err != nil {
			return false, err
		}
		if stored < 0 {
			done = true
			break
		}
		size += stored
	}
	return done, c.writeDead(t)
}

// adoptOld stores a segment of the old store and returns its size; a negative one says that there
// is no room.
func (c *committer) adoptOld(t *txn, p *salvagePlan, r *row) (int, error) {
	seg, body := r.seg, r.seg.encoded
	if seg.id >= p.Below {
		return 0, nil
	}
	var err error
	if seg.run, err = c.run(seg.run.id); err != nil {
		return 0, err
	}
	there, err := c.db.number(`SELECT count(*) FROM `+tables[seg.class]+` WHERE id=?`, seg.id)
	if err != nil {
		return 0, err
	}
	if there > 0 || c.salvage.skip[seg.id] { // it was resident
		p.Expected -= r.records - int64(popcount(r.bits))
		return 0, nil
	}
	if c.decode(r) != nil || seg.last() >= p.Below || seg.left == 0 {
		return 0, nil
	}
	seg.encoded = body
	used, err := c.used()
	if err != nil {
		return 0, err
	}
	// What Append takes meanwhile has to find room as well.
	if used+c.db.spaceFor(len(body))+int64(c.s.limits.front)+c.margin() > min(c.s.limits.of(seg.class), c.usable) {
		return -1, nil
	}
	if err := c.insert(t, seg, len(seg.items)); err != nil {
		return 0, err
	}
	if seg.left < len(seg.items) {
		t.n.Records[seg.class] -= int64(len(seg.items) - seg.left)
		if err := c.db.exec(`INSERT OR REPLACE INTO ack(id, bits) VALUES(?, ?)`, seg.id, r.bits); err != nil {
			return 0, err
		}
	}
	p.note(seg)
	t.added = append(t.added, added{class: seg.class, id: seg.id, last: seg.last(), records: int64(seg.left)})
	p.Found += int64(seg.left)
	return len(body), nil
}

// note keeps the last number of every stream of the last run: the marks may have been lost.
func (p *salvagePlan) note(seg *segment) {
	if seg.run.id != p.Run || seg.class == eventClass {
		return
	}
	if p.Last == nil {
		p.Last = make(map[string]uint64)
	}
	for _, it := range seg.items {
		p.Last[it.stream] = max(p.Last[it.stream], it.seq, it.seq+uint64(it.span))
	}
}

// losses says what was not found: how many records if that is known, and that any number of the
// last run may be among them.
func (p *salvagePlan) losses() (list []removal) {
	if p.Older != nil {
		list = p.Older.losses()
	}
	if p.Counted && p.Found >= p.Expected {
		return list
	}
	missing := uint64(0)
	if p.Counted {
		missing = uint64(p.Expected - p.Found)
	}
	for stream, last := range p.Last {
		if last > 0 {
			list = append(list, removal{lossKey{Readings, p.Run, stream, reasonCorrupt}, 1, last, 0})
		}
	}
	return append(list, removal{lossKey{Readings, "", "", reasonCorrupt}, 0, 0, missing})
}

// endSalvage closes the old file and keeps it if there is room.
func (c *committer) endSalvage() {
	s, v := c.s, c.salvage
	if v.old != nil {
		_ = v.old.db.close()
	}
	c.salvage = nil
	lost := int64(-1)
	if v.plan.Counted {
		lost = max(0, v.plan.Expected-v.plan.Found)
	}
	s.mu.Lock()
	s.opened.Salvaging, s.opened.Lost = false, lost
	s.mu.Unlock()
	if v.old != nil {
		s.log.Info("damaged store salvaged", "path", v.plan.Aside, "records", v.plan.Found, "lost", lost)
	}
	c.removeOversizedAside()
	s.wakeTaker()
}

// removeOversizedAside removes what was set aside if it would exceed MaxBytes together with the
// store.
func (c *committer) removeOversizedAside() {
	if c.salvage != nil || c.aside == "" {
		return
	}
	size, _, _, err := c.size()
	for _, suffix := range []string{"", "-wal"} {
		size += fileSize(c.aside + suffix)
	}
	if err == nil && size+int64(c.s.limits.front) > c.s.o.MaxBytes {
		removeAside(c.aside)
		c.aside = ""
	}
}

func removeAside(path string) {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		os.Remove(path + suffix)
	}
}

package buffer

import (
	"database/sql/driver"
	"slices"
	"time"
)

// A txn is one commit: what is written and what changes in RAM once it is
// durable. It is built under s.mu and applied under it.
type txn struct {
	n        counters   // as they will be
	segments []*segment // become stored
	private  []*segment // those of them that jobs made
	acks     []ackUpdate
	marks    []mark // of all streams
	removed  []removal
	kept     int // of them, those that were pending before this transaction
	open     map[lossKey]Loss
	deleted  []int64 // acknowledged losses
	evicted  []evicted
	added    []added
	refused  []*item
	dead     []DeadLetter
	deadJobs []*deadJob
	reserved uint64           // positions from here on are for dead letters that are retried
	skipped  [classCount]bool // the class's front found no room
	unstored []*segment       // of it
	expire   bool             // expired segments are to be removed
	clean    bool
	oldest   time.Duration // when the oldest record was appended; < 0: none
}

// An evicted segment was removed by a limit, or others took its place.
type evicted struct {
	class   class
	seg     *segment // nil where it was not resident
	records int64    // unacknowledged
}

// An added segment is only on the disk.
type added struct {
	class    class
	id, last uint64 // positions of its first and last record
	records  int64
	seg      *segment // of one that took the place of others
}

// build seals the front and takes a snapshot of everything that is pending.
func (c *committer) build(t *txn, jobs []*job, appends []pendingAppend, rounds *[]*round) {
	s := c.s
	now := s.o.Up()
	s.mu.Lock()
	defer s.mu.Unlock()
	*rounds = append(*rounds, s.round)
	s.round = newRound()
	for i := range s.shelves {
		s.seal(&s.shelves[i])
	}
	for _, a := range appends {
		st := s.stream(a.kind, a.stream)
		st.last++
		s.put(st, a.up, a.body, now, true)
	}
	for i := range s.shelves {
		sh := &s.shelves[i]
		for _, seg := range sh.unstored() {
			if !seg.sealed {
				seg.sealed, seg.private = true, true
				t.private = append(t.private, seg)
			}
			if seg.left > 0 {
				seg.writing = true
				t.segments = append(t.segments, seg)
			}
		}
	}
	t.marks, t.n.Boot = s.marks(), uint64(s.boot)
	t.expire, s.expire = s.expire, false
	for _, seg := range t.segments {
		if at := seg.items[0].at; t.oldest < 0 || at < t.oldest {
			t.oldest = at
		}
	}
	refused := make(map[*item]bool)
	for _, j := range jobs {
		if j.dead != nil {
			t.deadJobs = append(t.deadJobs, j.dead)
			if t.reserved == 0 && j.dead.retry {
				t.reserved = s.next
				s.next += uint64(t.n.Dead)
			}
		}
		for _, r := range j.refuse {
			if r.item != nil && r.item.state == taken && !refused[r.item] {
				refused[r.item] = true
				t.refused = append(t.refused, r.item)
				t.dead = append(t.dead, DeadLetter{int64(r.item.pos), r, j.reason})
			}
		}
	}
	touched := make(map[*segment]bool)
	for it := range refused {
		touched[it.segment] = true
	}
	for i := range s.shelves {
		for _, seg := range s.shelves[i].segments {
			if seg.dirty || touched[seg] {
				t.acks = append(t.acks, snapshotAcks(seg, refused))
			}
		}
	}
	s.enterUnrouted(slices.ContainsFunc(jobs, func(j *job) bool { return j.flush }), now)
	t.removed, s.removed = s.removed, nil
	t.kept = len(t.removed)
	t.removed = t.removed[:t.kept:t.kept]
	var refusals []removal
	for _, it := range t.refused {
		refusals = merge(refusals, it.segment.removal(it, reasonRefused))
	}
	t.removed = append(t.removed, refusals...)
	t.deleted = append(t.deleted, s.losses.acked...)
	t.n.Next = s.next
}

// seal fixes the segments of the front: what was acknowledged is left out. s.mu
// is held.
func (s *Store) seal(sh *shelf) {
	s.compact(sh)
	for _, seg := range sh.unstored() {
		if seg.sealed {
			continue
		}
		if seg.left < len(seg.items) {
			seg.prune()
		}
		seg.id, seg.sealed = seg.items[0].pos, true
	}
}

// settle ends the part of segments in a transaction whose outcome is known. Those
// that are on no disk can be acknowledged as if it had never been. s.mu is held.
func (t *txn) settle() {
	for _, list := range [][]*segment{t.segments, t.unstored} {
		for _, seg := range list {
			seg.settle()
		}
	}
	for _, e := range t.evicted {
		if e.seg != nil {
			e.seg.settle()
		}
	}
}

func (seg *segment) settle() {
	seg.writing = false
	if !seg.stored && seg.left < len(seg.items) {
		seg.unseal()
	}
}

// write executes the statements of a transaction.
func (c *committer) write(t *txn) error {
	if err := c.takeDead(t); err != nil {
		return err
	}
	if err := c.writeDead(t); err != nil {
		return err
	}
	for _, seg := range t.segments {
		if seg.encoded == nil {
			c.codec.encode(seg)
		}
	}
	if err := c.writeAcks(t, false); err != nil {
		return err
	}
	if t.expire {
		if err := c.removeExpired(t); err != nil {
			return err
		}
	}
	if err := c.writeSegments(t); err != nil {
		return err
	}
	if err := c.writeAcks(t, true); err != nil {
		return err
	}
	if err := c.writeLosses(t, c.s.losses.open); err != nil {
		return err
	}
	for _, id := range t.deleted {
		if err := c.db.exec(`DELETE FROM loss WHERE id=?`, id); err != nil {
			return err
		}
		t.n.Losses--
	}
	t.lowerMarks()
	if t.clean {
		if err := c.db.exec(`UPDATE run SET clean=1 WHERE boot=?`, c.s.boot); err != nil {
			return err
		}
	}
	return c.writeProgress(t)
}

// writeProgress is the last statement of every transaction.
func (c *committer) writeProgress(t *txn) error {
	t.n.Commit++
	return c.db.saveProgress(progress{t.n, t.marks})
}

// writeSegments stores the front, after it has made room for it.
func (c *committer) writeSegments(t *txn) error {
	must := [classCount]bool{} // those who wait for an update cannot be told to wait for room
	for _, seg := range t.private {
		must[seg.class] = true
	}
	for _, it := range t.refused {
		must[it.segment.class] = must[it.segment.class] || !it.segment.stored
	}
	stored := t.segments[:0]
	for _, seg := range t.segments {
		if !t.skipped[seg.class] {
			fits, err := c.makeRoom(t, seg)
			if err != nil {
				return err
			}
			if fits = fits || must[seg.class] || t.clean; !fits && c.evictOutranked(t, seg) {
				continue
			}
			t.skipped[seg.class] = !fits
		}
		if t.skipped[seg.class] {
			t.unstored = append(t.unstored, seg)
			continue
		}
		if err := c.insert(t, seg, len(seg.items)); err != nil {
			return err
		}
		stored = append(stored, seg)
	}
	t.segments = stored
	return nil
}

// insert stores an encoded segment. If its row is there already, a commit that reported a failure
// took effect, and the row is left as it is.
func (c *committer) insert(t *txn, seg *segment, records int) error {
	t.n.Records[seg.class] += int64(records)
	t.n.addBytes(seg.class, seg.level, int64(len(seg.encoded)))
	return c.db.exec(`INSERT OR IGNORE INTO `+tables[seg.class]+`(id, run, n, level, codec, size, crc, body) VALUES(?,?,?,?,?,?,?,?)`,
		seg.id, seg.run.id, records, seg.level, seg.codec, seg.rawSize, seg.crc, seg.encoded)
}

// remove deletes a segment and what is known about it.
func (c *committer) remove(t *txn, cl class, id uint64) error {
	var n, size, level int64
	var bits []byte
	err := c.db.query(`SELECT n, length(s.body), bits, level FROM `+tables[cl]+` s LEFT JOIN ack USING(id) WHERE id=?`,
		func(v []driver.Value) bool {
			n, _ = v[0].(int64)
			size, _ = v[1].(int64)
			bits, _ = v[2].([]byte)
			level, _ = v[3].(int64)
			return false
		}, id)
	if err != nil {
		return err
	}
	t.n.Records[cl] -= n - int64(popcount(bits))
	t.n.addBytes(cl, level, -size)
	if err := c.db.exec(`DELETE FROM `+tables[cl]+` WHERE id=?`, id); err != nil || bits == nil {
		return err
	}
	return c.db.exec(`DELETE FROM ack WHERE id=?`, id)
}

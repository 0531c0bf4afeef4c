package buffer

import (
	"database/sql/driver"
	"slices"
	"time"
)

// A txn is one commit: what is written and what changes in RAM once it is
// durable. It is built under s.mu and applied under it.
type txn struct {
	n        counters // as they will be
	blocks   []*block // become stored
	private  []*block // those of them that jobs made
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
	unstored []*block         // of it
	expire   bool             // expired segments are to be removed
	clean    bool
	oldest   time.Duration // when the oldest record was appended; < 0: none
}

// An evicted segment was removed by a limit, or others took its place.
type evicted struct {
	class   class
	b       *block // nil where it was not resident
	records int64  // unacknowledged
}

// An added segment is only on the disk.
type added struct {
	class    class
	id, last uint64 // positions of its first and last record
	records  int64
	b        *block // of one that took the place of others
}

// build seals the front and takes a snapshot of everything that is pending.
func (c *committer) build(t *txn, jobs []*job, appends []pendingAppend, rounds *[]*round) {
	s := c.s
	now := s.o.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	*rounds = append(*rounds, s.round)
	s.round = newRound()
	for i := range s.lanes {
		s.seal(&s.lanes[i])
	}
	for _, a := range appends {
		sr := s.stream(a.lane, a.stream)
		sr.last++
		s.put(sr, a.up, a.body, now, true)
	}
	for i := range s.lanes {
		l := &s.lanes[i]
		for _, b := range l.unstored() {
			if !b.sealed {
				b.sealed, b.private = true, true
				t.private = append(t.private, b)
			}
			if b.left > 0 {
				b.writing = true
				t.blocks = append(t.blocks, b)
			}
		}
	}
	t.marks, t.n.Boot = s.marks(), uint64(s.boot)
	t.expire, s.expire = s.expire, false
	for _, b := range t.blocks {
		if at := b.items[0].at; t.oldest < 0 || at < t.oldest {
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
	touched := make(map[*block]bool)
	for it := range refused {
		touched[it.block] = true
	}
	for i := range s.lanes {
		for _, b := range s.lanes[i].blocks {
			if b.dirty || touched[b] {
				t.acks = append(t.acks, snapshotAcks(b, refused))
			}
		}
	}
	s.enterUnrouted(slices.ContainsFunc(jobs, func(j *job) bool { return j.flush }), now)
	t.removed, s.removed = s.removed, nil
	t.kept = len(t.removed)
	t.removed = t.removed[:t.kept:t.kept]
	var refusals []removal
	for _, it := range t.refused {
		refusals = merge(refusals, it.block.removal(it, reasonRefused))
	}
	t.removed = append(t.removed, refusals...)
	t.deleted = append(t.deleted, s.losses.acked...)
	t.n.Next = s.next
}

// seal fixes the blocks of the front: what was acknowledged is left out. s.mu
// is held.
func (s *Store) seal(l *lane) {
	s.compact(l)
	for _, b := range l.unstored() {
		if b.sealed {
			continue
		}
		if b.left < len(b.items) {
			b.prune()
		}
		b.id, b.sealed = b.items[0].pos, true
	}
}

// settle ends the part of blocks in a transaction whose outcome is known. Those
// that are on no disk can be acknowledged as if it had never been. s.mu is held.
func (t *txn) settle() {
	for _, list := range [][]*block{t.blocks, t.unstored} {
		for _, b := range list {
			b.settle()
		}
	}
	for _, e := range t.evicted {
		if e.b != nil {
			e.b.settle()
		}
	}
}

func (b *block) settle() {
	b.writing = false
	if !b.stored && b.left < len(b.items) {
		b.unseal()
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
	for _, b := range t.blocks {
		if b.encoded == nil {
			c.codec.encode(b)
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
	if err := c.writeBlocks(t); err != nil {
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
	t.limitMarks()
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

// writeBlocks stores the front, after it has made room for it.
func (c *committer) writeBlocks(t *txn) error {
	must := [classCount]bool{} // those who wait for an update cannot be told to wait for room
	for _, b := range t.private {
		must[b.class] = true
	}
	for _, it := range t.refused {
		must[it.block.class] = must[it.block.class] || !it.block.stored
	}
	stored := t.blocks[:0]
	for _, b := range t.blocks {
		if !t.skipped[b.class] {
			fits, err := c.room(t, b)
			if err != nil {
				return err
			}
			if fits = fits || must[b.class] || t.clean; !fits && c.outranked(t, b) {
				continue
			}
			t.skipped[b.class] = !fits
		}
		if t.skipped[b.class] {
			t.unstored = append(t.unstored, b)
			continue
		}
		if err := c.insert(t, b, len(b.items)); err != nil {
			return err
		}
		stored = append(stored, b)
	}
	t.blocks = stored
	return nil
}

// insert stores an encoded segment. Where it is there already a commit that
// failed has happened.
func (c *committer) insert(t *txn, b *block, records int) error {
	t.n.Records[b.class] += int64(records)
	t.n.addBytes(b.class, b.level, int64(len(b.encoded)))
	return c.db.exec(`INSERT OR IGNORE INTO `+tables[b.class]+`(id, run, n, level, codec, size, crc, body) VALUES(?,?,?,?,?,?,?,?)`,
		b.id, b.run.id, records, b.level, b.codec, b.rawSize, b.crc, b.encoded)
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

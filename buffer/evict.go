package buffer

import (
	"database/sql/driver"
)

// A row is a segment as it is stored.
type row struct {
	seg     *segment // not decoded
	records int64
	bits    []byte // acknowledgements
}

// readSegment reads the first segment of a class with an id from low to high, or nil.
func (c *committer) readSegment(cl class, low, high uint64) (r *row, err error) {
	id := ""
	err = c.db.query(`SELECT id, run, n, level, codec, size, crc, s.body, bits FROM `+tables[cl]+` s LEFT JOIN ack USING(id)
		WHERE id>=? AND id<=? ORDER BY id LIMIT 1`, func(v []driver.Value) bool {
		n := func(i int) int64 { n, _ := v[i].(int64); return n }
		r = &row{records: n(2), seg: &segment{class: cl, id: uint64(n(0)),
			level: n(3), codec: n(4), rawSize: n(5), crc: n(6), sealed: true, stored: true}}
		r.seg.encoded, _ = v[7].([]byte)
		r.bits, _ = v[8].([]byte)
		id, _ = v[1].(string)
		return false
	}, low, high)
	if err != nil || r == nil {
		return nil, err
	}
	r.seg.run, err = c.run(id)
	return r, err
}

// decode makes the items of a row, those that are acknowledged marked.
func (c *committer) decode(r *row) error {
	if err := c.codec.decode(r.seg, r.records); err != nil {
		return err
	}
	for i, it := range r.seg.items {
		if i/8 < len(r.bits) && r.bits[i/8]&(1<<(i%8)) != 0 {
			it.state = done
		} else {
			r.seg.left++
		}
	}
	return nil
}

// makeRoom evicts by the policy until a segment fits, and reports whether it does.
func (c *committer) makeRoom(t *txn, seg *segment) (bool, error) {
	limit, _ := c.limitOf(seg.class)
	need := c.db.spaceFor(len(seg.encoded))
	for removed := 0; ; {
		used, err := c.used()
		if err != nil {
			return false, err
		}
		if used+need <= limit {
			return true, nil
		}
		if removed >= maxEvict {
			return used+need <= c.s.limits.usable+reserve/2, nil // the next commit goes on
		}
		reserve, _ := c.limitWithReserve(seg.class, t.n, used)
		reserved, makesRoom := used+need <= reserve, seg.class
		if reserved {
			makesRoom = highClass // no event gives way
		}
		n, err := c.evictByPolicy(t, makesRoom)
		if err != nil || n == 0 {
			return reserved && err == nil, err
		}
		removed += n
	}
}

// evictByPolicy removes some segments to make room in a class and returns their number: what is
// expired of any class, then the oldest of the class of least worth. Events give way only to
// events, and only if they use more than their reserve.
func (c *committer) evictByPolicy(t *txn, cl class) (int, error) {
	s := c.s
	readings := min(cl, highClass)
	if len(s.ttl) > 0 {
		for v := range eventClass {
			if n, err := c.evict(t, v, true); err != nil || n > 0 {
				return n, err
			}
		}
	}
	if s.o.WhenFull == RejectNew {
		return 0, nil
	}
	excess := t.n.Bytes[eventClass] > s.o.MaxBytes/20
	if excess && cl == eventClass {
		if n, err := c.evict(t, eventClass, false); err != nil || n > 0 {
			return n, err
		}
	}
	for v := range readings + 1 {
		if n, err := c.thin(t, v); err != nil || n > 0 {
			return n, err
		}
		if n, err := c.evict(t, v, false); err != nil || n > 0 {
			return n, err
		}
	}
	if excess != (cl == eventClass) {
		return c.evict(t, eventClass, false)
	}
	return 0, nil
}

// removeExpired removes what is expired of the oldest segments.
func (c *committer) removeExpired(t *txn) error {
	for cl := range eventClass {
		for removed := 0; removed < maxEvict; removed++ {
			if n, err := c.evict(t, cl, true); err != nil {
				return err
			} else if n == 0 {
				break
			}
		}
	}
	return nil
}

// claim keeps Take away from a stored segment. It returns the resident segment, or nil if there is
// none; false: it is in flight.
func (c *committer) claim(cl class, id uint64) (*segment, bool) {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	seg := s.shelves[cl].resident(id)
	if seg == nil {
		return nil, true
	}
	if seg.pinned() || seg.evicting || seg.left == 0 || !seg.stored {
		return nil, false
	}
	seg.evicting = true
	return seg, true
}

// evict removes the oldest segment of a class that is not in flight, enters its records in the
// ledger, and returns 1 if it did. With expired it removes only one all of whose records are.
func (c *committer) evict(t *txn, cl class, expired bool) (int, error) {
	for from := uint64(0); ; {
		r, err := c.readSegment(cl, from, 1<<63-1)
		if err != nil || r == nil {
			return 0, err
		}
		from = r.seg.id + 1
		seg, ok := c.claim(cl, r.seg.id)
		if !ok {
			continue
		}
		if seg == nil && c.decode(r) == nil {
			seg = r.seg
		}
		if expired && (seg == nil || !c.allExpired(seg)) {
			c.unclaim(seg)
			return 0, nil
		}
		e := evicted{class: cl, records: r.records - int64(popcount(r.bits))}
		if seg == nil {
			t.removed = append(t.removed, removal{lossKey{cl.kind(), r.seg.run.id, "", reasonCorrupt}, 0, 0, uint64(e.records)})
		} else {
			c.enterInLedger(t, seg)
		}
		if seg != r.seg {
			e.seg = seg
		}
		t.evicted = append(t.evicted, e)
		return 1, c.remove(t, cl, r.seg.id)
	}
}

func (c *committer) unclaim(seg *segment) {
	if seg != nil {
		c.s.mu.Lock()
		seg.evicting = false
		c.s.mu.Unlock()
	}
}

// allExpired reports whether every record of a claimed segment is expired.
func (c *committer) allExpired(seg *segment) bool {
	s := c.s
	now := s.o.Up()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range seg.items {
		if it.state != done && !s.expiredLocked(seg, it, now) {
			return false
		}
	}
	return true
}

// enterInLedger enters the unacknowledged records of a claimed segment in the ledger.
func (c *committer) enterInLedger(t *txn, seg *segment) {
	s := c.s
	now := s.o.Up()
	var ranges []removal
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range seg.items {
		if it.state == done {
			continue
		}
		reason := reasonEvicted
		if s.expiredLocked(seg, it, now) {
			reason = reasonExpired
		}
		ranges = merge(ranges, seg.removal(it, reason))
	}
	t.removed = append(t.removed, ranges...)
}

// evictOutranked removes a segment of the front that finds no room if what is stored is worth more,
// and reports whether it did.
func (c *committer) evictOutranked(t *txn, seg *segment) bool {
	s := c.s
	worth := int64(0)
	for v := seg.class + 1; v < eventClass; v++ {
		worth += t.n.Bytes[v]
	}
	s.mu.Lock()
	ok := worth > 0 && s.o.WhenFull != RejectNew && !seg.pinned()
	seg.evicting = ok
	s.mu.Unlock()
	if ok {
		c.enterInLedger(t, seg)
		t.evicted = append(t.evicted, evicted{class: seg.class, seg: seg, records: int64(seg.left)})
	}
	return ok
}

// sacrifice gives up what it must when the disk or the permitted size is used up: the ballast, and
// the oldest segments by the policy. It reports whether there is more room.
func (c *committer) sacrifice() bool {
	s := c.s
	freed := false
	if f := free(s.path); f >= 0 && f < s.limits.ballast {
		freed = c.dropBallast()
		c.checkpoint()
	}
	if err := c.db.begin(); err != nil {
		return freed
	}
	t := &txn{n: c.n, marks: c.marks, open: make(map[lossKey]Loss), oldest: -1}
	err := func() error {
		for removed := 0; removed < maxEvict; {
			n, err := c.evictByPolicy(t, eventClass)
			if err != nil {
				return err
			} else if n == 0 {
				break
			}
			removed += n
		}
		if len(t.evicted) == 0 {
			return nil
		}
		if err := c.writeLosses(t, s.losses.open); err != nil {
			return err
		}
		return c.writeProgress(t)
	}()
	if err == nil && len(t.evicted) > 0 {
		if err = c.db.commit(); err == nil {
			c.apply(t)
			return true
		}
	}
	c.db.rollback()
	c.undo(t)
	return freed
}

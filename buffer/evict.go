package buffer

import (
	"database/sql/driver"
)

// A row is a segment as it is stored.
type row struct {
	b       *block // not decoded
	records int64
	bits    []byte // acknowledgements
}

// segment reads the first segment of a lane with an id from low to high, or
// nil.
func (c *committer) segment(lane Lane, low, high uint64) (r *row, err error) {
	err = c.db.query(`SELECT id, boot, n, codec, size, crc, s.body, bits FROM `+tables[lane]+` s LEFT JOIN ack USING(id)
		WHERE id>=? AND id<=? ORDER BY id LIMIT 1`, func(v []driver.Value) bool {
		n := func(i int) int64 { n, _ := v[i].(int64); return n }
		r = &row{records: n(2), b: &block{lane: lane, id: uint64(n(0)), boot: uint32(n(1)),
			codec: n(3), rawSize: n(4), crc: n(5), sealed: true, stored: true}}
		r.b.encoded, _ = v[6].([]byte)
		r.bits, _ = v[7].([]byte)
		return false
	}, low, high)
	return r, err
}

// room makes room for a block by the policy and reports whether it fits.
func (c *committer) room(t *txn, b *block) (bool, error) {
	limit := c.s.limits.pages
	if b.lane == Readings {
		limit = c.s.limits.readings
	}
	limit = min(limit, c.mayUse())
	need := int64(len(b.encoded))/pageSize + 3
	for i := 0; ; i++ {
		_, used, err := c.size()
		if err != nil {
			return false, err
		}
		if used+need <= limit {
			return true, nil
		}
		if c.s.o.WhenFull != DropOldest {
			return false, nil
		}
		if i == maxEvict {
			return used+need <= c.s.limits.pages+8, nil // the next commit goes on
		}
		if more, err := c.evictFor(t, b.lane); err != nil || !more {
			return false, err
		}
	}
}

// evictFor removes the oldest segment that is not pinned, to make room in a
// lane: readings first, unless events use more than their reserve.
func (c *committer) evictFor(t *txn, lane Lane) (bool, error) {
	order := []Lane{Readings, Events}
	excess := t.n.Bytes[Events] > c.s.o.MaxBytes/20
	if excess && lane == Events {
		order = []Lane{Events, Readings}
	} else if !excess && lane == Readings {
		order = order[:1]
	}
	for _, l := range order {
		if found, err := c.evict(t, l); err != nil || found {
			return found, err
		}
	}
	return false, nil
}

// evict removes the oldest segment of a lane that is not pinned and enters
// its records in the ledger.
func (c *committer) evict(t *txn, lane Lane) (bool, error) {
	s := c.s
	for from := uint64(0); ; {
		r, err := c.segment(lane, from, 1<<63-1)
		if err != nil || r == nil {
			return false, err
		}
		id := r.b.id
		from = id + 1
		s.mu.Lock()
		b := s.lanes[lane].resident(id)
		skip := b != nil && (b.pinned() || b.evicting || b.left == 0 || !b.stored)
		if !skip && b != nil {
			b.evicting = true
		}
		s.mu.Unlock()
		if skip {
			continue
		}
		e := evicted{lane: lane, b: b}
		t.evicted = append(t.evicted, e)
		count, err := c.ledger(t, r, b)
		if err != nil {
			return false, err
		}
		t.evicted[len(t.evicted)-1].count = count
		return true, c.remove(t, lane, id)
	}
}

// ledger enters the unacknowledged records of a segment in the ledger and
// returns their number. b is the resident block, or nil.
func (c *committer) ledger(t *txn, r *row, b *block) (int64, error) {
	s := c.s
	info, err := c.bootInfo(r.b.boot)
	if err != nil {
		return 0, err
	}
	if b == nil {
		if err := c.codec.decode(r.b, r.records); err != nil {
			n := r.records - int64(popcount(r.bits))
			t.removed = append(t.removed, removal{lossKey{r.b.lane, info.store, r.b.boot, "", reasonCorrupt}, 0, 0, uint64(n)})
			return n, nil
		}
		b = r.b
		for i, it := range b.items {
			if i/8 < len(r.bits) && r.bits[i/8]&(1<<(i%8)) != 0 {
				it.state = done
			}
		}
	}
	var ranges []removal
	count := int64(0)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range b.items {
		if it.state != done {
			ranges = merge(ranges, removal{lossKey{b.lane, info.store, b.boot, it.stream, reasonEvicted}, it.seq, it.seq, 1})
			count++
		}
	}
	t.removed = append(t.removed, ranges...)
	return count, nil
}

// checkpoint empties the log, so that the next transaction does not have to
// make it longer, and reports whether it did.
func (c *committer) checkpoint() bool {
	var pages, copied int64
	err := c.db.query("PRAGMA wal_checkpoint(PASSIVE)", func(v []driver.Value) bool {
		pages, _ = v[1].(int64)
		copied, _ = v[2].(int64)
		return false
	})
	return err == nil && pages > 0 && pages == copied
}

// sacrifice gives up what it must when the disk or the permitted size is used
// up: the ballast, and the oldest segments by the policy. It reports whether
// there is more room.
func (c *committer) sacrifice() bool {
	s := c.s
	freed := false
	if f := free(s.path); f >= 0 && f < s.limits.ballast {
		freed = c.dropBallast()
		c.checkpoint()
	}
	if s.o.WhenFull != DropOldest {
		return freed
	}
	if err := c.db.exec("BEGIN IMMEDIATE"); err != nil {
		return freed
	}
	t := &txn{n: c.n, open: make(map[lossKey]Loss), oldest: -1}
	err := func() error {
		for range maxEvict {
			if more, err := c.evictFor(t, Events); err != nil {
				return err
			} else if !more {
				break
			}
		}
		if len(t.evicted) == 0 {
			return nil
		}
		if err := c.writeLosses(t, s.losses.open); err != nil {
			return err
		}
		return c.writeCounters(t)
	}()
	if err == nil && len(t.evicted) > 0 {
		if err = c.db.exec("COMMIT"); err == nil {
			c.apply(t)
			return true
		}
	}
	c.db.rollback()
	c.undo(t)
	return freed
}

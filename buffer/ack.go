package buffer

// An ackUpdate stores the acknowledgements of one segment.
type ackUpdate struct {
	seg   *segment
	bits  []byte // nil: all, the segment is deleted
	count int    // acknowledged records
}

// snapshotAcks returns the acknowledgements of a segment, those of records that are being refused
// included.
func snapshotAcks(seg *segment, refused map[*item]bool) ackUpdate {
	if seg.left == 0 {
		return ackUpdate{seg: seg}
	}
	u := ackUpdate{seg: seg, bits: make([]byte, (len(seg.items)+7)/8)}
	for i, it := range seg.items {
		if it.state == done || refused[it] {
			u.bits[i/8] |= 1 << (i % 8)
			u.count++
		}
	}
	if u.count == len(seg.items) {
		u.bits = nil
	}
	return u
}

// writeAcks stores the acknowledgements of segments that were stored before (fresh false) or are by
// this transaction (fresh true).
func (c *committer) writeAcks(t *txn, fresh bool) error {
	for _, u := range t.acks {
		if u.seg.stored == fresh || fresh && (t.skipped[u.seg.class] || u.seg.evicting) {
			continue
		}
		if u.bits != nil {
			t.n.Records[u.seg.class] -= int64(u.count - u.seg.bits)
			if err := c.db.exec(`INSERT OR REPLACE INTO ack(id, bits) VALUES(?, ?)`, u.seg.id, u.bits); err != nil {
				return err
			}
			continue
		}
		if err := c.remove(t, u.seg.class, u.seg.id); err != nil {
			return err
		}
	}
	return nil
}

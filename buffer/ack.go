package buffer

// An ackUpdate stores the acknowledgements of one segment.
type ackUpdate struct {
	b     *block
	bits  []byte // nil: all, the segment is deleted
	count int    // acknowledged records
}

// snapshotAcks returns the acknowledgements of a block, those of records that
// are being refused included.
func snapshotAcks(b *block, refused map[*item]bool) ackUpdate {
	if b.left == 0 {
		return ackUpdate{b: b}
	}
	u := ackUpdate{b: b, bits: make([]byte, (len(b.items)+7)/8)}
	for i, it := range b.items {
		if it.state == done || refused[it] {
			u.bits[i/8] |= 1 << (i % 8)
			u.count++
		}
	}
	if u.count == len(b.items) {
		u.bits = nil
	}
	return u
}

// writeAcks stores the acknowledgements of blocks that were stored before
// (fresh false) or are by this transaction (fresh true).
func (c *committer) writeAcks(t *txn, fresh bool) error {
	for _, u := range t.acks {
		if u.b.stored == fresh || fresh && (t.skipped[u.b.class] || u.b.evicting) {
			continue
		}
		if u.bits != nil {
			t.n.Records[u.b.class] -= int64(u.count - u.b.bits)
			if err := c.db.exec(`INSERT OR REPLACE INTO ack(id, bits) VALUES(?, ?)`, u.b.id, u.bits); err != nil {
				return err
			}
			continue
		}
		if err := c.remove(t, u.b.class, u.b.id); err != nil {
			return err
		}
	}
	return nil
}

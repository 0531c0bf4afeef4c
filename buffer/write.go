package buffer

import "database/sql/driver"

// write executes the statements of a transaction. Each group cites the rows of the table in doc.go
// whose third column it stores.
func (c *committer) write(t *txn) error {
	if err := c.takeDead(t); err != nil { // RetryDead, DropDead
		return err
	}
	if err := c.writeDead(t); err != nil { // Refuse
		return err
	}
	for _, seg := range t.segments {
		if seg.encoded == nil {
			c.codec.encode(seg)
		}
	}
	// Ack, Refuse, expiry: of segments that were stored before
	if err := c.writeAcks(t, false); err != nil {
		return err
	}
	if t.expire {
		if err := c.removeExpired(t); err != nil { // eviction of what is wholly expired
			return err
		}
	}
	if err := c.writeSegments(t); err != nil { // Append, Update; eviction and thinning to make room
		return err
	}
	// Ack, Refuse, expiry: of the segments stored just now
	if err := c.writeAcks(t, true); err != nil {
		return err
	}
	if err := c.writeLosses(t, c.s.losses.open); err != nil { // the ledger of every row
		return err
	}
	for _, id := range t.deleted { // AckLosses
		if err := c.db.exec(`DELETE FROM loss WHERE id=?`, id); err != nil {
			return err
		}
		t.n.Losses--
	}
	t.lowerMarks()
	if t.clean { // Close
		if err := c.db.exec(`UPDATE run SET clean=1 WHERE boot=?`, c.s.boot); err != nil {
			return err
		}
	}
	return c.writeProgress(t) // every row
}

// writeProgress is the last statement of every transaction.
func (c *committer) writeProgress(t *txn) error {
	t.n.Commit++
	return c.db.saveProgress(progress{t.n, t.marks})
}

// writeSegments stores the front, after it has made room for it.
func (c *committer) writeSegments(t *txn) error {
	must := [classCount]bool{} // those who wait for an update cannot be made to wait for room
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

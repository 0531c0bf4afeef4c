package buffer

// A deadLetter is a record that the receiver refused.
type deadLetter struct {
	Record
	reason string
}

// writeDead stores dead letters; beyond their share of the store the oldest
// give way. The ledger has all of them.
func (c *committer) writeDead(t *txn) error {
	for _, d := range t.dead {
		err := c.db.exec(`INSERT OR REPLACE INTO dead(id, lane, store, boot, stream, seq, up, reason, body) VALUES(?,?,?,?,?,?,?,?,?)`,
			d.item.pos, int(d.Lane), d.Store, d.Boot, d.Stream, d.Seq, int64(d.Up), d.reason, d.Body)
		if err != nil {
			return err
		}
		t.n.Dead++
		t.n.DeadSize += int64(len(d.Body)) + itemOverhead
	}
	for t.n.Dead > 1 && t.n.DeadSize > c.s.o.MaxBytes/64 {
		size, err := c.db.number(`SELECT length(body) FROM dead ORDER BY id LIMIT 1`)
		if err != nil {
			return err
		}
		if err := c.db.exec(`DELETE FROM dead WHERE id=(SELECT min(id) FROM dead)`); err != nil {
			return err
		}
		t.n.Dead--
		t.n.DeadSize -= size + itemOverhead
	}
	return nil
}

package buffer

import "database/sql/driver"

// beginBoot makes a new boot in one transaction, after the schema where that
// is missing.
func (c *committer) beginBoot(version int64) error {
	s := c.s
	if err := c.db.begin(); err != nil {
		return err
	}
	if version == 0 {
		if err := c.create(); err != nil {
			return err
		}
	} else if version < schemaVersion {
		if err := c.db.migrate(version); err != nil {
			return err
		}
	}
	last, err := c.db.loadProgress()
	if err != nil {
		return err
	}
	if err := c.identify(); err != nil {
		return err
	}
	if s.prev, err = c.previous(last.marks); err != nil {
		return err
	}
	s.boot = s.prev.Boot + 1
	if err := c.db.exec(`INSERT INTO boot(boot, store, kernel, clean) VALUES(?,?,?,0)`, s.boot, s.id, s.o.KernelBoot); err != nil {
		return err
	}
	if err := c.forgetBoots(); err != nil {
		return err
	}
	t := &txn{n: last.counters}
	if err := c.writeProgress(t); err != nil {
		return err
	}
	if err := c.db.commit(); err != nil {
		return err
	}
	return c.resume(t.n)
}

// previous reads how the last boot ended, which left these marks.
func (c *committer) previous(marks []mark) (p Previous, err error) {
	err = c.db.query(`SELECT boot, store, clean FROM boot ORDER BY boot DESC LIMIT 1`, func(v []driver.Value) bool {
		boot, _ := v[0].(int64)
		clean, _ := v[2].(int64)
		p.Exists, p.Boot, p.Clean = true, uint32(boot), clean != 0
		p.Store, _ = v[1].(string)
		return false
	})
	if err != nil || !p.Exists {
		return p, err
	}
	p.Last, p.LastEvents = make(map[string]uint64), make(map[string]uint64)
	for _, m := range marks {
		if m.lane == Readings {
			p.Last[m.stream] = m.seq
		} else {
			p.LastEvents[m.stream] = m.seq
		}
	}
	return p, nil
}

// forgetBoots bounds the list of boots: it keeps the last 1000 and all that
// have records.
func (c *committer) forgetBoots() error {
	oldest := int64(c.s.boot) - 1000
	if oldest <= 0 {
		return nil
	}
	queries := []string{`SELECT min(boot) FROM dead`}
	for _, table := range tables {
		queries = append(queries, `SELECT boot FROM `+table+` ORDER BY id LIMIT 1`)
	}
	for _, q := range queries {
		v, err := c.db.value(q)
		if err != nil {
			return err
		}
		if boot, ok := v.(int64); ok {
			oldest = min(oldest, boot)
		}
	}
	return c.db.exec(`DELETE FROM boot WHERE boot<?`, oldest)
}

// resume sets the state in RAM after the boot was committed. It reads nothing
// but the counters: what is stored is loaded when it is taken.
func (c *committer) resume(n counters) error {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	c.n, c.marks = n, nil
	s.next = n.Next
	waiting := n.Losses
	for i := range s.lanes {
		l := &s.lanes[i]
		l.depth = n.Records[i]
		l.liveFrom = n.Next
		l.gapLo, l.gapHi = 0, n.Next
		waiting += l.depth
	}
	s.losses = lossState{rows: n.Losses, open: make(map[lossKey]Loss), taken: make(map[int64]bool)}
	s.stats.Dead, s.stats.EventBytes = n.Dead, n.Bytes[eventClass]
	if waiting > 0 {
		s.signal()
	}
	return nil
}

type bootInfo struct {
	store, kernel string
	known         bool
}

// bootInfo returns what is known about a boot.
func (c *committer) bootInfo(boot uint32) (bootInfo, error) {
	if info, ok := c.boots[boot]; ok {
		return info, nil
	}
	info := bootInfo{store: c.s.id}
	err := c.db.query(`SELECT store, kernel FROM boot WHERE boot=?`, func(v []driver.Value) bool {
		info.store, _ = v[0].(string)
		info.kernel, _ = v[1].(string)
		info.known = true
		return false
	}, boot)
	if err != nil {
		return bootInfo{}, err
	}
	if len(c.boots) >= 64 {
		clear(c.boots)
	}
	c.boots[boot] = info
	return info, nil
}

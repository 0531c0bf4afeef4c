package buffer

import (
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// migrations bring a file from version i+1 to version i+2. They run in the
// transaction of the new boot: a file has either its old form or its new one.
var migrations = []func(*db) error{migrate1, migrate2}

// migrate brings an older file to schemaVersion. Adding columns and tables
// does not depend on what is stored.
func (d *db) migrate(version int64) error {
	for v := version; v < schemaVersion; v++ {
		if err := migrations[v-1](d); err != nil {
			return fmt.Errorf("migrating from schema version %d: %w", v, err)
		}
	}
	return d.exec(fmt.Sprintf("PRAGMA user_version=%d", schemaVersion))
}

// migrate1: readings have priorities, and segments and dead letters may be
// thinned. The counters of version 1 have two classes, events and readings.
func migrate1(d *db) error {
	for _, q := range []string{
		`ALTER TABLE events ADD COLUMN level INTEGER NOT NULL DEFAULT 0`,
		`ALTER TABLE readings ADD COLUMN level INTEGER NOT NULL DEFAULT 0`,
		segmentTable(tables[lowClass]),
		segmentTable(tables[highClass]),
		`ALTER TABLE dead ADD COLUMN seq_to INTEGER NOT NULL DEFAULT 0`,
		`ALTER TABLE dead ADD COLUMN up_to INTEGER NOT NULL DEFAULT 0`,
	} {
		if err := d.exec(q); err != nil {
			return err
		}
	}
	n, err := d.countersText()
	if err != nil {
		return err
	}
	for _, c := range []*[classCount]int64{&n.Records, &n.Bytes} {
		old := *c
		*c = [classCount]int64{eventClass: old[0], normalClass: old[1]}
	}
	text, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return d.setState("counters", string(text))
}

// migrate2: what every commit writes is in one row instead of a row for the
// counters and one for each mark.
func migrate2(d *db) error {
	if err := d.exec(progressTable); err != nil {
		return err
	}
	p, err := d.progressRows()
	if err != nil {
		return err
	}
	if err := d.exec(`DELETE FROM state WHERE key='counters' OR key>='mark/' AND key<'mark0'`); err != nil {
		return err
	}
	return d.saveProgress(p)
}

// progressRows reads what versions 1 and 2 have for a progress.
func (d *db) progressRows() (p progress, err error) {
	n, failed := d.countersText()
	p.counters = n
	err = d.query(`SELECT key, value FROM state WHERE key>='mark/' AND key<'mark0'`, func(v []driver.Value) bool {
		key, _ := v[0].(string)
		seq, _ := v[1].(int64)
		lane, stream, _ := strings.Cut(strings.TrimPrefix(key, "mark/"), "/")
		m := mark{lane: Events, stream: stream, seq: uint64(seq)}
		if lane == fmt.Sprint(Readings) {
			m.lane = Readings
		}
		p.marks = append(p.marks, m)
		return true
	})
	return p, errors.Join(failed, err)
}

// countersText reads the counters of versions 1 and 2.
func (d *db) countersText() (n counters, err error) {
	text, err := d.stateText("counters")
	if err != nil {
		return n, err
	}
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		return n, errBadState
	}
	return n, nil
}

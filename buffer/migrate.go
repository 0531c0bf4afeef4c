package buffer

import (
	"encoding/json"
	"fmt"
)

// migrations bring a file from version i+1 to version i+2. They run in the
// transaction of the new boot: a file has either its old form or its new one.
var migrations = []func(*db) error{migrate1}

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
	n, err := d.loadCounters()
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

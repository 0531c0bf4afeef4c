package buffer

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// maxPosition is beyond the positions of any store: 35,000 years of one reading a second.
const maxPosition = 1 << 40

// A damagedStore is a store that was set aside, as far as it can be read.
type damagedStore struct{ db *db }

// openDamaged opens a store that was set aside. The settings matter less than that it opens; where
// its header does not let it, the part of the header that is the same in every store is written
// again.
func openDamaged(path string) (*damagedStore, error) {
	d, err := connectDamaged(path)
	if err == nil {
		return d, nil
	}
	if err := repairHeader(path, uint16(pageSize)); err != nil {
		return nil, err
	}
	return connectDamaged(path)
}

func connectDamaged(path string) (*damagedStore, error) {
	d, err := dial(path, "rw")
	if err != nil {
		return nil, err
	}
	err = d.exec("PRAGMA locking_mode=exclusive")
	version := int64(0)
	if err == nil {
		version, err = d.number("PRAGMA user_version")
	}
	if err == nil {
		_, err = d.number("SELECT count(*) FROM sqlite_schema")
	}
	if err == nil && (version < 1 || version > schemaVersion) {
		err = errBadState
	}
	if err != nil {
		d.close()
		return nil, err
	}
	return &damagedStore{d}, nil
}

func repairHeader(path string, pageSize uint16) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	// The page size, log in both versions, nothing reserved, the fixed fractions.
	_, err = f.WriteAt(append([]byte("SQLite format 3\x00"), byte(pageSize>>8), byte(pageSize), 2, 2, 0, 64, 32, 32), 0)
	return err
}

// rows calls f for the rows of a table that can be read from its beginning, and then for those that
// can be read from its end, some of them again.
func (d *damagedStore) rows(columns, table, key string, f func(v []driver.Value) error) error {
	var failed error
	for _, order := range []string{key, strings.ReplaceAll(key, ",", " DESC,") + " DESC"} {
		err := d.db.query("SELECT "+columns+" FROM "+table+" ORDER BY "+order, func(v []driver.Value) bool {
			failed = f(v)
			return failed == nil
		})
		if failed != nil || err == nil {
			return failed
		}
	}
	return nil
}

// progress returns what can be read of what the last commit wrote; ok: all of it.
func (d *damagedStore) progress() (p progress, ok bool) {
	p, err := d.db.loadProgress()
	return p, err == nil
}

// record calls row for the first row of a table with an id of at least from that can be read, and
// returns its id; 0: there is none. Ranges of ids whose pages are damaged are passed over.
func (d *damagedStore) record(columns, table string, from uint64, row func(v []driver.Value)) uint64 {
	try := func(from uint64) (id uint64, ok bool) {
		err := d.db.query("SELECT id, "+columns+" FROM "+table+" WHERE id>=? ORDER BY id LIMIT 1", func(v []driver.Value) bool {
			n, _ := v[0].(int64)
			id = uint64(n)
			row(v[1:])
			return false
		}, from)
		return id, err == nil
	}
	id, ok := try(from)
	if ok {
		return id
	}
	bad, good := from, uint64(0)
	for step := uint64(1); good == 0; step *= 2 {
		if step > maxPosition {
			return 0
		}
		if _, ok := try(from + step); ok {
			good = from + step
		} else {
			bad = from + step
		}
	}
	for good-bad > 1 {
		if m := bad + (good-bad)/2; func() bool { _, ok := try(m); return ok }() {
			good = m
		} else {
			bad = m
		}
	}
	id, _ = try(good)
	return id
}

// readSegment returns the first segment with an id of at least from.
func (d *damagedStore) readSegment(cl class, from uint64) *row {
	var r *row
	id := d.record("run, n, level, codec, size, crc, body", tables[cl], from, func(v []driver.Value) {
		n := func(i int) int64 { n, _ := v[i].(int64); return n }
		r = &row{records: n(1), seg: &segment{class: cl, run: new(run), level: n(2), codec: n(3), rawSize: n(4), crc: n(5), sealed: true, stored: true}}
		r.seg.run.id, _ = v[0].(string)
		r.seg.encoded, _ = v[6].([]byte)
	})
	if id == 0 {
		return nil
	}
	r.seg.id = id
	// unreadable: all of it comes again
	bits, _ := d.db.value(`SELECT bits FROM ack WHERE id=?`, id)
	r.bits, _ = bits.([]byte)
	return r
}

// dead returns the first dead letter with an id of at least from.
func (d *damagedStore) dead(from uint64) (DeadLetter, bool) {
	var letter DeadLetter
	id := d.record(deadColumns, "dead", from, func(v []driver.Value) { letter = scanDead(0, v) })
	letter.ID = int64(id)
	return letter, id > 0
}

// transplant copies the small tables into the database of a new store, in whose transaction it
// runs: the runs, the losses not reported yet, and the values of Update. It returns what is to be
// salvaged, and what the new store begins with. Without the end of its log, its counters are those
// of before.
func (d *damagedStore) transplant(to *db, whole bool) (plan salvagePlan, begin progress, err error) {
	plan.Last = make(map[string]uint64)
	begin, plan.Counted = d.progress()
	plan.Counted = plan.Counted && whole
	for _, records := range begin.Records {
		plan.Expected += records
	}
	for _, m := range begin.marks {
		if m.kind == Readings {
			plan.Last[m.stream] = m.seq
		}
	}
	next := max(begin.Next, 1)
	for cl := range classCount {
		if id, err := d.db.number("SELECT max(id) FROM " + tables[cl]); err == nil {
			next = max(next, uint64(id))
		} else if !strings.Contains(err.Error(), "no such table") {
			next = max(next, maxPosition)
		}
	}
	// beyond what a lost commit may have used
	begin.counters = counters{Next: next + 1<<20, Boot: begin.Boot, NextLoss: begin.NextLoss}
	plan.Below = begin.Next
	newest := int64(0)
	err = d.rows("boot, run, store, gateway, kernel, clean", "run", "boot", func(v []driver.Value) error {
		if boot, _ := v[0].(int64); boot >= newest && (begin.Boot == 0 || uint64(boot) <= begin.Boot) {
			newest = boot
			plan.Run, _ = v[1].(string)
		}
		return to.exec(`INSERT OR IGNORE INTO run(boot, run, store, gateway, kernel, clean) VALUES(?,?,?,?,?,?)`, v[0], v[1], v[2], v[3], v[4], v[5])
	})
	if err == nil && !plan.Counted {
		// A clean end without its marks proves nothing.
		begin.Boot = uint64(newest)
		err = to.exec(`UPDATE run SET clean=0 WHERE boot=?`, newest)
	}
	if err != nil {
		return plan, begin, err
	}
	if text, err := d.db.stateText("salvage"); err == nil && text != "" {
		older := new(salvagePlan)
		if json.Unmarshal([]byte(text), older) == nil {
			older.Counted, plan.Older = false, older
		}
	}
	err = d.rows("bucket, key, value", "kv", "bucket,key", func(v []driver.Value) error {
		return to.exec(`INSERT OR IGNORE INTO kv(bucket, key, value) VALUES(?,?,?)`, v[0], v[1], v[2])
	})
	if err != nil {
		return plan, begin, err
	}
	err = d.rows("id, "+lossColumns, "loss", "id", func(v []driver.Value) error {
		l := scanLoss(v)
		begin.NextLoss = max(begin.NextLoss, l.ID)
		return to.exec(`INSERT OR IGNORE INTO loss(id, `+lossColumns+`) VALUES(?,?,?,?,?,?,?,?)`,
			v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7])
	})
	if err == nil {
		begin.Losses, err = to.number("SELECT count(*) FROM loss") // at most maxLosses
	}
	return plan, begin, err
}

// A salvagePlan is what is to be salvaged of a store that was set aside, and how far that has come.
// It is the row "salvage" of state.
type salvagePlan struct {
	Aside    string            `json:"aside"`
	Run      string            `json:"run"`      // its last one
	Below    uint64            `json:"below"`    // positions from here on are not taken for true
	Last     map[string]uint64 `json:"last"`     // last durable numbers of that run
	Counted  bool              `json:"counted"`  // Expected is known
	Expected int64             `json:"expected"` // records that it held
	// where to go on: dead, then the classes, the highest first
	Table int    `json:"table"`
	Next  uint64 `json:"next"`  // and its first id
	Found int64  `json:"found"` // records salvaged

	// Older is the plan that the store itself had not finished: what was left to be salvaged is
	// lost.
	Older *salvagePlan `json:"older,omitempty"`
}

func (p salvagePlan) save(d *db) error {
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("salvage: %w", err)
	}
	return d.setState("salvage", string(text))
}

// class returns the class that is being salvaged; false: the dead letters.
func (p salvagePlan) class() (class, bool) { return eventClass - class(p.Table-1), p.Table > 0 }

package buffer

import "encoding/json"

const (
	pageSize      = int64(4096)
	applicationID = int64(0x66676174) // "fgat", at offset 68 of the file
	schemaVersion = int64(2)
)

// schema is version 2; migrate.go brings older files there. Positions are unique over all tables and boots, given
// by the program and never used again: SQLite would begin with 1 again when a
// table is empty.
var schema = []string{
	// state has one row "counters" (type counters as JSON), "store",
	// "machine", and the last durable sequence number of every stream of this
	// boot: "mark/<lane>/<stream>". It shares one page in most stores, so a
	// commit writes that page and the page of the segment.
	`CREATE TABLE state(key TEXT PRIMARY KEY, value) WITHOUT ROWID`,

	// boot has one row for each start of the program.
	`CREATE TABLE boot(
		boot   INTEGER PRIMARY KEY,
		store  TEXT NOT NULL,
		kernel TEXT NOT NULL,            -- boot_id of the kernel
		clean  INTEGER NOT NULL)`,

	// A row of events or readings is a segment; see segment.go for the body.
	segmentTable(tables[eventClass]),
	segmentTable(tables[normalClass]),
	segmentTable(tables[lowClass]),
	segmentTable(tables[highClass]),

	// ack has the acknowledged records of a segment, one bit each, the first
	// in the lowest bit of the first byte.
	`CREATE TABLE ack(id INTEGER PRIMARY KEY, bits BLOB NOT NULL)`,

	// loss is the ledger: ranges of records that were removed unsent.
	`CREATE TABLE loss(
		id     INTEGER PRIMARY KEY,
		lane   INTEGER NOT NULL,
		store  TEXT NOT NULL,
		boot   INTEGER NOT NULL,
		stream TEXT NOT NULL,
		first  INTEGER NOT NULL,
		last   INTEGER NOT NULL,
		n      INTEGER NOT NULL,         -- records lost in first to last
		reason TEXT NOT NULL)`,

	// dead has the records that the receiver refused.
	`CREATE TABLE dead(
		id     INTEGER PRIMARY KEY,      -- position of the record
		lane   INTEGER NOT NULL,
		store  TEXT NOT NULL,
		boot   INTEGER NOT NULL,
		stream TEXT NOT NULL,
		seq    INTEGER NOT NULL,
		up     INTEGER NOT NULL,         -- nanoseconds
		reason TEXT NOT NULL,
		body   BLOB NOT NULL,
		seq_to INTEGER NOT NULL DEFAULT 0, -- of a bucket
		up_to  INTEGER NOT NULL DEFAULT 0)`,

	// kv is for what others must keep: see Update.
	`CREATE TABLE kv(bucket TEXT, key TEXT, value BLOB NOT NULL, PRIMARY KEY(bucket, key)) WITHOUT ROWID`,
}

func segmentTable(name string) string {
	return `CREATE TABLE ` + name + `(
		id    INTEGER PRIMARY KEY,       -- position of the first record
		boot  INTEGER NOT NULL,
		n     INTEGER NOT NULL,          -- records
		codec INTEGER NOT NULL,          -- bits: 1 zstd, 2 has buckets
		size  INTEGER NOT NULL,          -- bytes of the plain body
		crc   INTEGER NOT NULL,          -- CRC-32C of the plain body; SQLite has no checksum of pages
		body  BLOB NOT NULL,
		level INTEGER NOT NULL DEFAULT 0) -- how often it was thinned`
}

// counters are kept in memory and written with every commit, so that nothing
// ever has to be counted.
type counters struct {
	Commit   uint64            `json:"commit"`   // rises with every commit: tells whether a failed one happened
	Next     uint64            `json:"next"`     // no stored position is as high
	Records  [classCount]int64 `json:"records"`  // not acknowledged as far as stored
	Bytes    [classCount]int64 `json:"bytes"`    // of segments
	Losses   int64             `json:"losses"`   // rows of loss
	NextLoss int64             `json:"nextLoss"` // id of the next row of loss
	Dead     int64             `json:"dead"`     // rows of dead
	DeadSize int64             `json:"deadSize"` // bytes of bodies in dead

	Thinned [classCount][ThinLevels]int64 `json:"thinned,omitzero"` // of Bytes, those of each level
}

func (d *db) loadCounters() (n counters, err error) {
	v, err := d.value(`SELECT value FROM state WHERE key=?`, "counters")
	if err != nil {
		return n, err
	}
	text, _ := v.(string)
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		return n, errBadState
	}
	return n, nil
}

func (d *db) setState(key string, value any) error {
	return d.exec(`INSERT INTO state(key, value) VALUES(?, ?) ON CONFLICT(key) DO UPDATE SET value=excluded.value`, key, value)
}

func (d *db) stateText(key string) (string, error) {
	v, err := d.value(`SELECT value FROM state WHERE key=?`, key)
	s, _ := v.(string)
	return s, err
}

package buffer

const (
	// pageSize is that of a new file; one that is there keeps its own. A commit writes whole pages:
	// small ones, since it changes little.
	pageSize      = int64(512)
	applicationID = int64(0x66676477) // "fgdw", at offset 68 of the file
	schemaVersion = int64(1)

	unreleasedID = int64(0x66676174) // what versions before the first release had as applicationID
)

// schema is version 1. Positions are unique over all tables and runs, given by the program and
// never used again: SQLite would begin with 1 again when a table is empty.
var schema = []string{
	// state has "store", "machine" and, while something is salvaged, "salvage".
	`CREATE TABLE state(key TEXT PRIMARY KEY, value) WITHOUT ROWID`,

	progressTable,

	// run has one row for each start of the program: what its records do not carry themselves.
	`CREATE TABLE run(
		boot    INTEGER PRIMARY KEY,     -- counts them in this file
		run     TEXT NOT NULL UNIQUE,
		store   TEXT NOT NULL,
		gateway TEXT NOT NULL,           -- Options.Gateway when it began
		kernel  TEXT NOT NULL,           -- boot_id of the kernel
		clean   INTEGER NOT NULL)`,

	// A row of events or readings is a segment; see segment.go for the body.
	segmentTable(tables[eventClass]),
	segmentTable(tables[normalClass]),
	segmentTable(tables[lowClass]),
	segmentTable(tables[highClass]),

	// ack has the acknowledged records of a segment, one bit each, the first in the lowest bit of
	// the first byte.
	`CREATE TABLE ack(id INTEGER PRIMARY KEY, bits BLOB NOT NULL)`,

	// loss is the ledger: ranges of records that were removed unsent, or that nobody got. Here and
	// in dead the column lane has their Kind.
	`CREATE TABLE loss(
		id     INTEGER PRIMARY KEY,
		lane   INTEGER NOT NULL,
		run    TEXT NOT NULL,
		stream TEXT NOT NULL,
		first  INTEGER NOT NULL,
		last   INTEGER NOT NULL,
		n      INTEGER NOT NULL,         -- records lost in first to last
		reason TEXT NOT NULL)`,

	// dead has the records that the receiver refused.
	`CREATE TABLE dead(
		id     INTEGER PRIMARY KEY,      -- position of the record
		lane   INTEGER NOT NULL,
		run    TEXT NOT NULL,
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

// progressTable has one row: see type progress.
const progressTable = `CREATE TABLE progress(id INTEGER PRIMARY KEY, body BLOB NOT NULL)`

func segmentTable(name string) string {
	return `CREATE TABLE ` + name + `(
		id    INTEGER PRIMARY KEY,       -- position of the first record
		run   TEXT NOT NULL,
		n     INTEGER NOT NULL,          -- records
		codec INTEGER NOT NULL,          -- bits: 1 zstd, 2 has buckets
		size  INTEGER NOT NULL,          -- bytes of the plain body
		crc   INTEGER NOT NULL,          -- CRC-32C of run and plain body; SQLite has no checksum of pages
		body  BLOB NOT NULL,
		level INTEGER NOT NULL DEFAULT 0) -- how often it was thinned`
}

func (d *db) setState(key string, value any) error {
	return d.exec(`INSERT INTO state(key, value) VALUES(?, ?) ON CONFLICT(key) DO UPDATE SET value=excluded.value`, key, value)
}

func (d *db) stateText(key string) (string, error) {
	v, err := d.value(`SELECT value FROM state WHERE key=?`, key)
	s, _ := v.(string)
	return s, err
}

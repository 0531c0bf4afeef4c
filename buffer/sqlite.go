package buffer

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"

	"github.com/mattn/go-sqlite3"
)

// A db is the one connection to the file. It belongs to the committer's goroutine and is not used
// through database/sql: there is no pool, no second connection and no other goroutine.
type db struct {
	conn       *sqlite3.SQLiteConn
	pageSize   int64
	prepared   map[string]driver.Stmt
	statements uint64 // statements run, for tests
}

// connect opens the file, unless a newer version made it, and checks every setting that durability
// rests on. Only the first connection may create the file; later ones need it to exist.
func connect(path string, l limits, create bool) (*db, error) {
	mode := "rw"
	if create {
		mode = "rwc"
	}
	d, err := dial(path, mode)
	if err != nil {
		return nil, err
	}
	version, err := d.number("PRAGMA user_version")
	if err == nil {
		err = checkVersion(path, version) // in the log it may be another one than in the header
	}
	if err == nil {
		err = d.configure(l)
	}
	if err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// dial opens a file. The lock mode is set before anything is read: SQLite would make a shared
// memory file, for which a full file system has no room.
func dial(path, mode string) (*db, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	u := url.URL{Scheme: "file", Path: abs, RawQuery: "_mutex=no&_busy_timeout=0&_locking_mode=EXCLUSIVE&mode=" + mode}
	c, err := (&sqlite3.SQLiteDriver{}).Open(u.String())
	if err != nil {
		return nil, err
	}
	return &db{conn: c.(*sqlite3.SQLiteConn), prepared: make(map[string]driver.Stmt)}, nil
}

// spaceFor returns how many bytes of the database a segment of this length may take: its pages,
// each with a pointer to the next one, and those above them.
func (d *db) spaceFor(length int) int64 {
	return (int64(length)/(d.pageSize-4) + 4) * d.pageSize
}

// configure applies the settings and reads them back: SQLite ignores what it cannot do without an
// error.
func (d *db) configure(l limits) (err error) {
	if pages, err := d.number("PRAGMA page_count"); err != nil {
		return err
	} else if pages == 0 {
		if err := d.exec(fmt.Sprint("PRAGMA page_size=", pageSize)); err != nil {
			return err
		}
	}
	if d.pageSize, err = d.number("PRAGMA page_size"); err != nil {
		return err
	}
	for _, p := range []struct {
		name string
		set  any
		want any // what is read back, if that differs
	}{
		// no shared memory file; a second process is refused
		{name: "locking_mode", set: "exclusive"},
		// written before the log exists, so the file itself always has it
		{name: "application_id", set: applicationID},
		{name: "journal_mode", set: "wal"}, // one flush a commit
		// NORMAL is what go-sqlite3 compiles in: it loses commits
		{name: "synchronous", set: "FULL", want: int64(2)},
		{name: "wal_autocheckpoint", set: l.log / (d.pageSize + frameHeader)},
		// a log that is truncated costs twice the writes
		{name: "journal_size_limit", set: int64(-1)},
		{name: "max_page_count", set: l.file / d.pageSize},
		{name: "cache_size", set: int64(-512)},        // KiB
		{name: "mmap_size", set: int64(0), want: nil}, // an I/O error must not be a SIGBUS
		{name: "temp_store", set: "MEMORY", want: int64(2)},
		{name: "foreign_keys", set: int64(0)},
	} {
		if p.name == "application_id" {
			if got, err := d.value("PRAGMA application_id"); err != nil || got == p.set {
				if err != nil {
					return err
				}
				continue
			}
		}
		if err := d.exec(fmt.Sprintf("PRAGMA %s=%v", p.name, p.set)); err != nil {
			return err
		}
		got, err := d.value("PRAGMA " + p.name)
		if err != nil {
			return err
		}
		want := p.want
		if want == nil {
			want = p.set
		}
		if p.name == "max_page_count" {
			if n, ok := got.(int64); ok && n >= l.file/d.pageSize {
				continue // a file that is larger already keeps its size
			}
		}
		if got != want {
			return fmt.Errorf("%w: PRAGMA %s is %v, want %v", ErrSettings, p.name, got, want)
		}
	}
	return d.conn.SetFileControlInt("main", sqlite3.SQLITE_FCNTL_PERSIST_WAL, 1)
}

func (d *db) close() error {
	for _, s := range d.prepared {
		s.Close()
	}
	clear(d.prepared)
	return d.conn.Close()
}

func (d *db) statement(query string, args []any) (*sqlite3.SQLiteStmt, []driver.NamedValue, error) {
	d.statements++
	st := d.prepared[query]
	if st == nil {
		var err error
		if st, err = d.conn.Prepare(query); hasCode(err, sqlite3.ErrError) {
			return nil, nil, fmt.Errorf("%w: %w", errBadSchema, err)
		} else if err != nil {
			return nil, nil, err
		}
		d.prepared[query] = st
	}
	named := make([]driver.NamedValue, len(args))
	for i, a := range args {
		switch v := a.(type) {
		case int:
			a = int64(v)
		case uint64:
			a = int64(v)
		case uint32:
			a = int64(v)
		}
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return st.(*sqlite3.SQLiteStmt), named, nil
}

// begin starts a transaction.
func (d *db) begin() error { return d.control("BEGIN IMMEDIATE") }

// commit ends the transaction. If it fails, the transaction may have happened.
func (d *db) commit() error { return d.control("COMMIT") }

// control runs a statement without arguments that is needed again and again.
func (d *db) control(query string) error {
	st, _, err := d.statement(query, nil)
	if err != nil {
		return err
	}
	_, err = st.ExecContext(context.Background(), nil)
	return err
}

// exec runs one statement. Arguments are integers, strings and byte slices.
func (d *db) exec(query string, args ...any) error {
	if len(args) == 0 {
		d.statements++
		_, err := d.conn.ExecContext(context.Background(), query, nil)
		return err
	}
	st, named, err := d.statement(query, args)
	if err != nil {
		return err
	}
	_, err = st.ExecContext(context.Background(), named)
	return err
}

// query calls row for every row of the result, until it returns false. The values are valid after
// the call.
func (d *db) query(query string, row func(v []driver.Value) bool, args ...any) (err error) {
	st, named, err := d.statement(query, args)
	if err != nil {
		return err
	}
	rows, err := st.QueryContext(context.Background(), named)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for {
		v := make([]driver.Value, len(rows.Columns()))
		switch err := rows.Next(v); {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case !row(v):
			return nil
		}
	}
}

// value returns the first column of the first row, or nil.
func (d *db) value(query string, args ...any) (v driver.Value, err error) {
	err = d.query(query, func(row []driver.Value) bool { v = row[0]; return false }, args...)
	return v, err
}

// number is value for integers; no row and NULL are zero.
func (d *db) number(query string, args ...any) (int64, error) {
	v, err := d.value(query, args...)
	n, _ := v.(int64)
	return n, err
}

// rollback ends a transaction that failed. SQLite has rolled back some errors itself; that there is
// nothing to roll back then is not an error.
func (d *db) rollback() {
	if !d.conn.AutoCommit() {
		_ = d.exec("ROLLBACK")
	}
}

// isFull reports that the disk or the permitted size is used up.
func isFull(err error) bool { return hasCode(err, sqlite3.ErrFull) }

// isDamaged reports that the content of the file is not a valid database.
func isDamaged(err error) bool {
	return errors.Is(err, errBadState) || errors.Is(err, errBadSchema) || hasCode(err, sqlite3.ErrCorrupt) || hasCode(err, sqlite3.ErrNotADB) || hasCode(err, sqlite3.ErrFormat)
}

func hasCode(err error, code sqlite3.ErrNo) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && e.Code == code
}

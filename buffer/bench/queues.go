package main

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/autopaho/queue/file"
	"github.com/mattn/go-sqlite3"
	"github.com/tidwall/wal"
	"golang.org/x/sys/unix"

	"github.com/fieldgate/fieldgate/buffer"
)

// A queue keeps readings until they are taken and acknowledged.
type queue interface {
	add(group [][]byte) error // durable when it returns, unless a max_loss permits more
	take(max int) (int, error)
	close() error
}

func open(t task) (queue, error) {
	switch t.Queue {
	case "buffer":
		return openStore(t)
	case "rows":
		return openRows(t.Dir)
	case "wal":
		l, err := wal.Open(filepath.Join(t.Dir, "wal"), &wal.Options{AllowEmpty: true})
		if err != nil {
			return nil, err
		}
		first, err := l.FirstIndex()
		last, err2 := l.LastIndex()
		return &walQueue{l, max(first, 1), last}, errors.Join(err, err2)
	case "autopaho":
		q, err := file.New(t.Dir, "queue", ".msg")
		return files{q}, err
	case "append":
		f, err := os.OpenFile(filepath.Join(t.Dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		return appended{f}, err
	}
	return nil, fmt.Errorf("no queue %q", t.Queue)
}

// A store is package buffer.
type store struct {
	*buffer.Store
	now     time.Time
	grouped bool
	n       int
}

var streams = func() (names [16]string) {
	for i := range names {
		names[i] = fmt.Sprint("sensor-", i)
	}
	return names
}()

func openStore(t task) (*store, error) {
	o := buffer.Options{MaxLoss: t.MaxLoss, MaxBytes: 4 << 30}
	grouped := t.Group > 1
	if grouped {
		o.MaxLoss = time.Hour // add commits
	}
	s, err := buffer.Open(context.Background(), filepath.Join(t.Dir, "queue.db"), o)
	return &store{Store: s, now: time.Now(), grouped: grouped}, err
}

func (s *store) add(group [][]byte) error {
	for _, body := range group {
		if _, err := s.Append(context.Background(), buffer.Readings, streams[s.n%len(streams)], time.Since(s.now).Truncate(time.Millisecond), body); err != nil {
			return err
		}
		s.n++
	}
	if s.grouped {
		return s.flush()
	}
	return nil
}

// fromMany adds n readings from many goroutines, each of which waits until its group is durable.
func (s *store) fromMany(writers, n, group int, bodies [][]byte) error {
	var wg sync.WaitGroup
	failed := make(chan error, writers)
	for w := range writers {
		wg.Go(func() {
			for i := range n / writers {
				if _, err := s.Append(context.Background(), buffer.Readings, streams[w%len(streams)], time.Since(s.now).Truncate(time.Millisecond), bodies[i%len(bodies)]); err != nil {
					failed <- err
					return
				}
				if s.grouped && i%group == group-1 {
					if err := s.flush(); err != nil {
						failed <- err
						return
					}
				}
			}
		})
	}
	wg.Wait()
	close(failed)
	return <-failed
}

func (s *store) take(max int) (int, error) {
	r := s.Take(buffer.BacklogLane, max, 64<<10)
	s.Ack(r)
	return len(r), nil
}

// takeLive takes what was added since Split, as a gateway that is online.
func (s *store) takeLive() { s.Ack(s.Take(buffer.LiveLane, 100, 64<<10)) }

func (s *store) flush() error { return s.Flush(context.Background()) }
func (s *store) close() error { return s.Close(context.Background()) }

// rows is a table with a row for each reading, through the driver's connection, with the settings
// that package buffer has too.
type rows struct {
	conn           *sqlite3.SQLiteConn
	insert, remove driver.Stmt
	oldest         driver.Stmt
	last           int64
}

func openRows(dir string) (*rows, error) {
	c, err := (&sqlite3.SQLiteDriver{}).Open(filepath.Join(dir, "queue.db"))
	if err != nil {
		return nil, err
	}
	r := &rows{conn: c.(*sqlite3.SQLiteConn)}
	for _, q := range []string{"PRAGMA page_size=4096", "PRAGMA locking_mode=EXCLUSIVE", "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL",
		"PRAGMA cache_size=-512", "CREATE TABLE IF NOT EXISTS q(id INTEGER PRIMARY KEY, body BLOB)"} {
		if err := r.exec(q); err != nil {
			return nil, err
		}
	}
	if err := r.conn.SetFileControlInt("main", sqlite3.SQLITE_FCNTL_PERSIST_WAL, 1); err != nil {
		return nil, err
	}
	for _, s := range []struct {
		to   *driver.Stmt
		text string
	}{{&r.insert, "INSERT INTO q(body) VALUES(?)"}, {&r.remove, "DELETE FROM q WHERE id<=?"}, {&r.oldest, "SELECT id, body FROM q ORDER BY id LIMIT ?"}} {
		if *s.to, err = r.conn.Prepare(s.text); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *rows) exec(query string) error {
	_, err := r.conn.ExecContext(context.Background(), query, nil)
	return err
}

func argument(v driver.Value) []driver.NamedValue { return []driver.NamedValue{{Ordinal: 1, Value: v}} }

func (r *rows) add(group [][]byte) error {
	if err := r.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for _, body := range group {
		if _, err := r.insert.(driver.StmtExecContext).ExecContext(context.Background(), argument(body)); err != nil {
			return err
		}
	}
	return r.exec("COMMIT")
}

func (r *rows) take(max int) (n int, err error) {
	found, err := r.oldest.(driver.StmtQueryContext).QueryContext(context.Background(), argument(int64(max)))
	if err != nil {
		return 0, err
	}
	v := make([]driver.Value, 2)
	for ; ; n++ {
		if err := found.Next(v); err == io.EOF {
			break
		} else if err != nil {
			return n, err
		}
		r.last, _ = v[0].(int64)
	}
	if err := found.Close(); err != nil {
		return n, err
	}
	_, err = r.remove.(driver.StmtExecContext).ExecContext(context.Background(), argument(r.last))
	return n, err
}

func (r *rows) close() error {
	return errors.Join(r.insert.Close(), r.remove.Close(), r.oldest.Close(), r.conn.Close())
}

// walQueue is tidwall/wal, which syncs every batch.
type walQueue struct {
	log         *wal.Log
	first, last uint64
}

func (q *walQueue) add(group [][]byte) error {
	var b wal.Batch
	for _, body := range group {
		q.last++
		b.Write(q.last, body)
	}
	return q.log.WriteBatch(&b)
}

func (q *walQueue) take(max int) (n int, err error) {
	for ; n < max && q.first <= q.last; n++ {
		if _, err := q.log.Read(q.first); err != nil {
			return n, err
		}
		q.first++
	}
	return n, q.log.TruncateFront(q.first)
}

func (q *walQueue) close() error { return q.log.Close() }

// files is autopaho's queue: a file for each message, never synced.
type files struct{ q *file.Queue }

func (f files) add(group [][]byte) error {
	for _, body := range group {
		if err := f.q.Enqueue(bytes.NewReader(body)); err != nil {
			return err
		}
	}
	return nil
}

// take takes one: the queue has no batches.
func (f files) take(int) (int, error) {
	e, err := f.q.Peek()
	if err != nil {
		return 0, err
	}
	r, err := e.Reader()
	if err != nil {
		return 0, err
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return 0, err
	}
	return 1, e.Remove()
}

func (f files) close() error { return nil }

// appended is a file that only grows: the limit of the machine.
type appended struct{ f *os.File }

func (a appended) add(group [][]byte) error {
	if _, err := a.f.Write(bytes.Join(group, nil)); err != nil {
		return err
	}
	return unix.Fdatasync(int(a.f.Fd()))
}

func (a appended) take(int) (int, error) { return 0, errors.ErrUnsupported }
func (a appended) close() error          { return a.f.Close() }

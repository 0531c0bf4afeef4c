package buffer

import (
	"context"
	"database/sql/driver"
	"fmt"
	"maps"
	"time"
)

// A Tx is a transaction of Update, on new records and on values, each of which has a key in a named
// bucket (nothing to do with the buckets of Options.Thin). It is valid only in the goroutine of the
// function given to Update, and only until that returns.
type Tx struct {
	s       *Store
	db      *db
	appends []pendingAppend
}

type pendingAppend struct {
	kind   Kind
	stream string
	up     time.Duration
	body   []byte
}

// Update runs f in a transaction and commits it together with the pending acknowledgements and as
// much of the front as has room. What f did is durable when nil is returned. If f returns an error,
// what f did is undone and Update returns that error. If the storage fails, Update returns
// ErrNotDurable, and the change may or may not have happened.
//
// f runs on the committer's goroutine: it must be short and must not call the Store. It may be
// called more than once, because a commit that failed is repeated.
func (s *Store) Update(ctx context.Context, f func(*Tx) error) error {
	return s.submit(ctx, &job{update: f})
}

// Get returns the value of a key, or nil if there is none. An empty value is not nil.
func (t *Tx) Get(bucket, key string) ([]byte, error) {
	v, err := t.db.value(`SELECT value FROM kv WHERE bucket=? AND key=?`, bucket, key)
	b, _ := v.([]byte)
	return b, err
}

// Put sets the value of a key, which it copies.
func (t *Tx) Put(bucket, key string, value []byte) error {
	if value == nil {
		value = []byte{}
	}
	return t.db.exec(`INSERT INTO kv(bucket, key, value) VALUES(?,?,?)
		ON CONFLICT(bucket, key) DO UPDATE SET value=excluded.value`, bucket, key, value)
}

// Delete removes a key. It is not an error if there is none.
func (t *Tx) Delete(bucket, key string) error {
	return t.db.exec(`DELETE FROM kv WHERE bucket=? AND key=?`, bucket, key)
}

// Put makes the value of a key durable. ErrNotDurable: the storage failed, and the value may or may
// not have been stored.
func (s *Store) Put(ctx context.Context, bucket, key string, value []byte) error {
	return s.Update(ctx, func(t *Tx) error { return t.Put(bucket, key, value) })
}

// PutSoon sets the value of a key with the next commit that happens for another reason, Close's at
// the latest; a power cut before costs the change. It takes ownership of value. Until then Get
// returns the old value. Of a key only the newest value is kept; the number of keys is the caller's
// to bound.
func (s *Store) PutSoon(bucket, key string, value []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.soon == nil {
		s.soon = make(map[kvKey]*[]byte)
	}
	s.soon[kvKey{bucket, key}] = &value
}

type kvKey struct{ bucket, key string }

// writeSoon writes what PutSoon left, into t. It is no reason for a commit to fail.
func (c *committer) writeSoon(t *txn) {
	c.s.mu.Lock()
	t.soon = maps.Clone(c.s.soon)
	c.s.mu.Unlock()
	tx := &Tx{s: c.s, db: c.db}
	for k, value := range t.soon {
		if err := tx.Put(k.bucket, k.key, *value); err != nil {
			delete(t.soon, k)
		}
	}
}

// dropSoonLocked forgets what is durable now, unless it has changed meanwhile.
func (s *Store) dropSoonLocked(t *txn) {
	for k, value := range t.soon {
		if s.soon[k] == value {
			delete(s.soon, k)
		}
	}
}

// eachPage is how many values of a bucket are in memory at a time.
const eachPage = 16

// Each calls f for every key of a bucket, in the order of the keys, until f returns an error, which
// Each returns. f may change the bucket; for the next keys it may still get the old values.
func (t *Tx) Each(bucket string, f func(key string, value []byte) error) error {
	type pair struct {
		key   string
		value []byte
	}
	from, after := "key>=?", ""
	for {
		var page []pair
		err := t.db.query(`SELECT key, value FROM kv WHERE bucket=? AND `+from+` ORDER BY key LIMIT ?`,
			func(v []driver.Value) bool {
				var p pair
				p.key, _ = v[0].(string)
				p.value, _ = v[1].([]byte)
				page = append(page, p)
				return true
			}, bucket, after, eachPage)
		if err != nil {
			return err
		}
		for _, p := range page {
			if err := f(p.key, p.value); err != nil {
				return err
			}
		}
		if len(page) < eachPage {
			return nil
		}
		from, after = "key>?", page[len(page)-1].key
	}
}

// Append adds a record that exists only if the transaction commits, and copies its body. See
// Store.Append for the arguments.
func (t *Tx) Append(kind Kind, stream string, up time.Duration, body []byte) error {
	if err := t.s.check(kind, stream, body); err != nil {
		return err
	}
	t.appends = append(t.appends, pendingAppend{kind, stream, up, append([]byte(nil), body...)})
	return nil
}

// Get returns the committed value of a key, or nil if there is none. An empty value is not nil.
func (s *Store) Get(ctx context.Context, bucket, key string) (value []byte, err error) {
	err = s.submit(ctx, &job{read: func(c *committer) (err error) {
		value, err = (&Tx{s: s, db: c.db}).Get(bucket, key)
		return err
	}})
	return value, err
}

// Each calls f for every committed key of a bucket, in the order of the keys, until f returns an
// error, which Each returns. f runs on the committer's goroutine and must not call the Store.
func (s *Store) Each(ctx context.Context, bucket string, f func(key string, value []byte) error) error {
	return s.submit(ctx, &job{read: func(c *committer) error {
		return (&Tx{s: s, db: c.db}).Each(bucket, f)
	}})
}

// Flush commits the front and the pending acknowledgements. If it returns ErrNotDurable, at least a
// part of the front is still in RAM only.
func (s *Store) Flush(ctx context.Context) error {
	return s.submit(ctx, &job{flush: true})
}

// A job is work for the committer's goroutine; exactly one of read, update, refuse, dead and flush
// is set. Those who wait for it bound their number.
type job struct {
	read   func(*committer) error
	update func(*Tx) error
	refuse []Record
	reason string
	dead   *deadJob
	flush  bool // it fails if anything of the front is not stored

	done chan struct{}
	err  error
}

// submit hands a job to the committer and waits for it. If ctx ends first, the job is done all the
// same.
func (s *Store) submit(ctx context.Context, j *job) error {
	j.done = make(chan struct{})
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return ErrClosed
	}
	if j.read != nil {
		s.reads = append(s.reads, j)
	} else {
		s.writes = append(s.writes, j)
	}
	s.mu.Unlock()
	s.wakeCommitter()
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		return fmt.Errorf("buffer: waiting for the storage: %w", ctx.Err())
	}
}

// prefetchLocked loads the next segment while the caller sends the last one.
func (s *Store) prefetchLocked(cl class) {
	if !s.closing && len(s.reads) == 0 {
		s.reads = append(s.reads, &job{read: func(c *committer) error { return c.load(cl) }, done: make(chan struct{})})
	}
	s.wakeCommitter()
}

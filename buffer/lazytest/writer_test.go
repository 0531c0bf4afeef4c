package lazytest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fieldgate/fieldgate/buffer"
)

const (
	writerEnv = "FIELDGATE_LAZYTEST_WRITER" // path of the store; the test binary is a writer on it
	lossEnv   = "FIELDGATE_LAZYTEST_MAXLOSS"
	policyEnv = "FIELDGATE_LAZYTEST_REJECT" // not empty: a full store rejects, else it drops the oldest
)

// maxBytes is small, so that the log is copied often and the limit is reached.
const maxBytes = buffer.MinMaxBytes

// Where nothing waits for a commit: the time between the records of a stream, the records from one
// Flush to the next, and the time between deliveries, which commit too. In between the store has to
// commit by itself.
const (
	pace         = 20 * time.Millisecond
	flushEvery   = 20
	deliverEvery = 300 * time.Millisecond
)

// updates is the stream of the events that an Update appends.
const updates = "update"

func TestMain(m *testing.M) {
	if path := os.Getenv(writerEnv); path != "" {
		loss, err := time.ParseDuration(os.Getenv(lossEnv))
		if err == nil {
			err = write(path, loss, os.Getenv(policyEnv) != "")
		}
		say("failed", strings.ReplaceAll(err.Error(), "\n", " ")) // write does not end without an error
		return
	}
	os.Exit(m.Run())
}

var console sync.Mutex

// say prints a whole line.
func say(a ...any) {
	console.Lock()
	defer console.Unlock()
	fmt.Println(a...)
}

func sayRecords(what string, records []buffer.Record) {
	for _, r := range records {
		say(what, r.Kind, r.Run, r.Stream, r.Seq)
	}
}

// now is the time that two processes share.
func now() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) // every Linux has this clock
	return time.Duration(ts.Nano())
}

// body is the body of a record that was not made by an Update. It cannot be compressed, so that the
// store becomes full.
func body(stream string, seq uint64) []byte {
	b := []byte(stream + "-" + strconv.FormatUint(seq, 10))
	x := uint32(seq)
	for len(b) < int(100+seq*37%2000) {
		x = x*1664525 + 1013904223
		b = append(b, byte(x>>24))
	}
	return b
}

// write does what a gateway does to its store until something fails. It prints before what may have
// happened at a cut, after what must have.
func write(path string, maxLoss time.Duration, reject bool) error {
	ctx := context.Background()
	o := buffer.Options{MaxBytes: maxBytes, MaxLoss: maxLoss}
	if reject {
		o.WhenFull = buffer.RejectNew
	}
	start := time.Now()
	s, err := buffer.Open(ctx, path, o)
	if err != nil {
		return err
	}
	say("opened", time.Since(start).Nanoseconds())
	failed := make(chan error)
	for _, a := range []appender{{buffer.Readings, "r0", true, reject}, {buffer.Readings, "r1", false, reject}, {buffer.Events, "alarm", true, reject}} {
		go func() {
			if maxLoss > 0 {
				failed <- a.early(ctx, s)
			} else {
				failed <- a.strict(ctx, s)
			}
		}()
	}
	go func() { failed <- deliver(ctx, s, maxLoss > 0) }()
	return <-failed
}

// An appender appends to one stream.
type appender struct {
	kind    buffer.Kind
	stream  string
	flushes bool
	rejects bool // the store rejects when it is full
}

// next appends a record and reports whether the store has taken it. Full is not an error: what was
// rejected must not be found later, and what waits in RAM for room was not promised, but may be.
func (a appender) next(ctx context.Context, s *buffer.Store, seq uint64) (taken bool, err error) {
	_, err = s.Append(ctx, a.kind, a.stream, 0, body(a.stream, seq))
	switch {
	case errors.Is(err, buffer.ErrFull):
		say(rejected, a.kind, s.Run(), a.stream, seq)
		time.Sleep(pace)
		return false, nil
	case a.rejects && errors.Is(err, buffer.ErrNotDurable) && s.Stats().Degraded == nil:
		time.Sleep(pace)
		return false, nil
	}
	return err == nil, err
}

// strict appends to a store without loss: each record is promised.
func (a appender) strict(ctx context.Context, s *buffer.Store) error {
	for seq := uint64(1); ; seq++ {
		taken, err := a.next(ctx, s, seq)
		if err != nil {
			return err
		}
		if taken {
			say(stored, a.kind, s.Run(), a.stream, seq)
		}
	}
}

// early appends to a store that may lose what is young. With flushes every few records are promised
// by Flush, otherwise their time tells.
func (a appender) early(ctx context.Context, s *buffer.Store) error {
	var open []uint64
	for seq := uint64(1); ; seq++ {
		time.Sleep(pace)
		at := now()
		taken, err := a.next(ctx, s, seq)
		if err != nil {
			return err
		}
		if taken {
			say(appended, a.kind, s.Run(), a.stream, seq, at.Nanoseconds())
			open = append(open, seq)
		}
		if !a.flushes || seq%flushEvery != 0 {
			continue
		}
		if err := s.Flush(ctx); err != nil {
			return err
		}
		for _, seq := range open {
			say(stored, a.kind, s.Run(), a.stream, seq)
		}
		open = open[:0]
	}
}

// deliver takes, acknowledges some, refuses a few, and counts in a value, of which each step is an
// event as well.
func deliver(ctx context.Context, s *buffer.Store, seldom bool) error {
	value, err := s.Get(ctx, "n", "i")
	if err != nil {
		return err
	}
	first, _ := strconv.Atoi(string(value))
	for step := 1; ; step++ {
		if seldom {
			time.Sleep(deliverEvery)
		}
		var r []buffer.Record
		for _, lane := range []buffer.Lane{buffer.EventLane, buffer.BacklogLane, buffer.LiveLane} {
			r = append(r, s.Take(lane, 10, 1<<20)...)
		}
		n := len(r) / 4
		sayRecords(acking, r[:n])
		s.Ack(r[:n])
		var bad []buffer.Record
		if step%10 == 0 {
			bad = r[n:min(n+1, len(r))]
		}
		sayRecords(refusing, bad)
		if err := s.Refuse(ctx, bad, "test"); err != nil { // commits what was acknowledged too
			return err
		}
		sayRecords(acked, r[:n])
		sayRecords(refused, bad)
		text := []byte(strconv.Itoa(first + step))
		err := s.Update(ctx, func(tx *buffer.Tx) error {
			return errors.Join(tx.Put("n", "i", text), tx.Append(buffer.Events, updates, 0, text))
		})
		if err != nil {
			return err
		}
		say("update", first+step)
		say(stored, buffer.Events, s.Run(), updates, step)
		s.Release(r)
	}
}

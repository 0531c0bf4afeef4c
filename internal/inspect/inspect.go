// Package inspect looks into the store of a running gateway for the operator: what waits, by
// sensor; all of it as documents; what was refused, and what is to become of that. Delivering is
// package uplink's, keeping the store's own.
package inspect

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/payload"
	payloadjson "github.com/fieldgate/fieldgate/internal/payload/json"
	"github.com/fieldgate/fieldgate/internal/uplink"
)

// Store is the part of the store that is looked into.
type Store interface {
	Stats() buffer.Stats
	Streams(ctx context.Context, kind buffer.Kind) (map[string]buffer.StreamStats, error)
	Stored(ctx context.Context, kind buffer.Kind) iter.Seq2[buffer.Record, error]
	DeadLetters(ctx context.Context, after int64, max int) ([]buffer.DeadLetter, error)
	RetryDead(ctx context.Context, ids ...int64) (int, error)
	DropDead(ctx context.Context, ids ...int64) (int, error)
	RetryAllDead(ctx context.Context) (int, error)
	DropAllDead(ctx context.Context) (int, error)
}

// View implements the part of control.Gateway that is about the queue.
type View struct {
	gateway string
	store   Store
	clock   uplink.Times
}

// New makes the view of a gateway's store.
func New(gateway string, store Store, clock uplink.Times) *View { return &View{gateway, store, clock} }

// QueueStats returns what waits. It reads all of it.
func (q *View) QueueStats(ctx context.Context) (contract.QueueStats, error) {
	streams, err := q.store.Streams(ctx, buffer.Readings)
	if err != nil {
		return contract.QueueStats{}, err
	}
	s := q.store.Stats()
	out := contract.QueueStats{
		Readings: s.Live + s.Backlog, Events: s.Events, InFlight: s.InFlight, Dead: s.Dead, Losses: s.Losses, Bytes: s.Bytes, MaxBytes: s.MaxBytes,
		Sensors: map[string]contract.SensorQueue{},
	}
	for name, st := range streams {
		v := contract.SensorQueue{Readings: st.Records, Bytes: st.Bytes, OldestRun: st.Oldest.Run, OldestSeq: st.Oldest.Seq}
		if t, ok := q.clock.Time(st.Oldest.Kernel, st.Oldest.Up); ok {
			v.Oldest = contract.Time{Time: t}
		}
		out.Sensors[name] = v
	}
	return out, nil
}

// Export calls line with a document for every reading that waits, as format "json" has it, with one
// reading each. Those in flight are among them. Nothing is taken away. A reading that cannot be
// rendered is passed over: its delivery will make it a dead letter, with the reason.
func (q *View) Export(ctx context.Context, line func([]byte) error) error {
	var encoder payloadjson.Encoder
	var text []byte
	for r, err := range q.store.Stored(ctx, buffer.Readings) {
		if err != nil {
			return err
		}
		if text, err = encoder.Append(text[:0], q.batch(&r)); err != nil {
			continue
		}
		if err := line(text); err != nil {
			return err
		}
	}
	return nil
}

// batch returns a record as a batch of one reading.
func (q *View) batch(r *buffer.Record) *payload.Batch {
	b := uplink.NewBatch(q.gateway, q.clock, []buffer.Record{*r}, nil)
	return &b
}

// DeadLetters returns up to max dead letters with an id above after: a reading as it would be sent;
// of an event, and of a reading that cannot be rendered, what it is and its size.
func (q *View) DeadLetters(ctx context.Context, after int64, max int) ([]contract.DeadLetter, error) {
	letters, err := q.store.DeadLetters(ctx, after, max)
	if err != nil {
		return nil, err
	}
	var encoder payloadjson.Encoder
	out := make([]contract.DeadLetter, 0, len(letters))
	for _, d := range letters {
		r := &d.Record
		v := contract.DeadLetter{ID: d.ID, Reason: d.Reason}
		if r.Kind == buffer.Events {
			v.Document, err = json.Marshal(map[string]any{"event": r.Stream, "bytes": len(r.Body)})
		} else if v.Document, err = encoder.Append(nil, q.batch(r)); err != nil {
			v.Document, err = json.Marshal(map[string]any{"sensor": r.Stream, "run": r.Run, "seq": r.Seq, "bytes": len(r.Body)})
		}
		if err != nil {
			return nil, fmt.Errorf("dead letter %d: %w", d.ID, err)
		}
		out = append(out, v)
	}
	return out, nil
}

// RetryDead has dead letters sent once more and returns how many.
func (q *View) RetryDead(ctx context.Context, c contract.DeadChoice) (int, error) {
	if c.All {
		return q.store.RetryAllDead(ctx)
	}
	return q.store.RetryDead(ctx, c.IDs...)
}

// DropDead removes dead letters and returns how many.
func (q *View) DropDead(ctx context.Context, c contract.DeadChoice) (int, error) {
	if c.All {
		return q.store.DropAllDead(ctx)
	}
	return q.store.DropDead(ctx, c.IDs...)
}

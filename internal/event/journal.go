package event

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/contract"
)

const lossMax = 100 // ranges in one event

// A Journal queues the events of the running gateway.
type Journal struct {
	Store *buffer.Store
	Up    func() time.Duration
	Log   *slog.Logger
}

// Add queues an event. An error of the store is told in the log: an event has no other way.
func (j Journal) Add(kind string, fields any) {
	body, err := Encode(kind, fields)
	if err != nil {
		j.Log.Warn("event lost", "kind", kind, "err", err)
		return
	}
	j.append(context.Background(), kind, body)
}

// append queues an event, in RAM at least.
func (j Journal) append(ctx context.Context, kind string, body []byte) {
	_, err := j.Store.Append(ctx, buffer.Events, Events, j.Up(), body)
	if err != nil && !errors.Is(err, buffer.ErrNotDurable) {
		j.Log.Warn("event lost", "kind", kind, "err", err)
	}
}

// Boot queues what each start reports: how the run before it ended. That is durable when Boot returns, because the next start
// knows only how this one ended; where the store has no room it waits in RAM, and the log says so.
func (j Journal) Boot(ctx context.Context, version string, maxLoss time.Duration) error {
	e := contract.BootEvent{Store: j.Store.ID(), Boot: j.Store.Boot(), Version: version, MaxLoss: maxLoss.Seconds()}
	if p := j.Store.Previous(); p.Exists {
		e.Previous = &contract.Previous{Run: p.Run, Store: p.Store, Boot: p.Boot, Gateway: p.Gateway, End: contract.EndUnclean, Last: p.Last, Events: p.LastEvents[Events]}
		if p.Clean {
			e.Previous.End = contract.EndClean
		}
		if e.Previous.Last == nil {
			e.Previous.Last = map[string]uint64{}
		}
	}
	body, err := Encode(contract.EventBoot, e)
	if err != nil {
		return err
	}
	err = j.keep(ctx, body)
	if err == nil || errors.Is(err, buffer.ErrClosed) || ctx.Err() != nil {
		return err
	}
	j.Log.Error("the boot event is not durable: if the program ends before it is sent, nobody learns how the last boot ended", "err", err)
	j.append(ctx, contract.EventBoot, body)
	return nil
}

// Losses turns new entries of the loss ledger into an event. The entries are acknowledged when the event is durable: after
// a crash in between they are told twice, which a receiver takes as the same ranges.
func (j Journal) Losses(ctx context.Context) error {
	losses := j.Store.TakeLosses(lossMax)
	if len(losses) == 0 {
		return nil
	}
	var e contract.LossEvent
	for _, l := range losses {
		if l.Lane == buffer.Readings {
			e.Loss = append(e.Loss, contract.Loss{Run: l.Run, Sensor: l.Stream, First: l.First, Last: l.Last, Count: l.Count, Reason: l.Reason})
		}
	}
	body, err := Encode(contract.EventLoss, e)
	if err == nil && len(e.Loss) > 0 {
		err = j.keep(ctx, body)
	}
	if err != nil {
		j.Store.ReleaseLosses(losses)
		return err
	}
	j.Store.AckLosses(losses)
	j.Log.Warn("readings are in the loss ledger", "ranges", len(losses), "reason", losses[0].Reason)
	return nil
}

// keep queues an event durably.
func (j Journal) keep(ctx context.Context, body []byte) error {
	return j.Store.Update(ctx, func(tx *buffer.Tx) error { return tx.Append(buffer.Events, Events, j.Up(), body) })
}

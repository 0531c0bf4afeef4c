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

// Config is what a Journal is made of.
type Config struct {
	Store *buffer.Store
	Up    func() time.Duration // since power-up
	// Lost is given what the loss ledger has reported; nil: nobody asks.
	Lost func([]contract.Loss)
	Log  *slog.Logger
}

// A Journal queues the events of the running gateway.
type Journal struct{ cfg Config }

// NewJournal makes a journal.
func NewJournal(c Config) *Journal { return &Journal{cfg: c} }

// Add queues an event. An error of the store is reported in the log: an event has no other way.
func (j *Journal) Add(kind string, fields any) {
	body, err := Encode(kind, fields)
	if err != nil {
		j.cfg.Log.Warn("event lost", "kind", kind, "err", err)
		return
	}
	_, err = j.cfg.Store.Append(context.Background(), buffer.Events, Events, j.cfg.Up(), body)
	if err != nil && !errors.Is(err, buffer.ErrNotDurable) {
		j.cfg.Log.Warn("event lost", "kind", kind, "err", err)
	}
}

// Boot returns the body of what each start reports: how the run before it ended. The store keeps it
// with the row of the run.
func Boot(p buffer.Previous, store string, boot uint32, version string, maxLoss time.Duration) ([]byte, error) {
	e := contract.BootEvent{Store: store, Boot: boot, Version: version, MaxLoss: maxLoss.Seconds()}
	if p.Exists {
		e.Previous = &contract.Previous{Run: p.Run, Store: p.Store, Boot: p.Boot, Gateway: p.Gateway, End: contract.EndUnclean, Last: p.Last, Events: p.LastEvents[Events]}
		if p.Clean {
			e.Previous.End = contract.EndClean
		}
		if e.Previous.Last == nil {
			e.Previous.Last = map[string]uint64{}
		}
	}
	return Encode(contract.EventBoot, e)
}

// AllLosses is Losses for everything that the store has to report now, what is only in RAM
// included.
func (j *Journal) AllLosses(ctx context.Context) error {
	err := j.cfg.Store.Flush(ctx)
	for left := int64(-1); err == nil && j.cfg.Store.Stats().Losses != left; {
		left = j.cfg.Store.Stats().Losses
		err = j.Losses(ctx)
	}
	return err
}

// Losses turns new entries of the loss ledger into an event. The entries are acknowledged when the
// event is durable: after a crash in between they are reported twice, which a receiver takes as the
// same ranges.
func (j *Journal) Losses(ctx context.Context) error {
	losses := j.cfg.Store.TakeLosses(lossMax)
	if len(losses) == 0 {
		return nil
	}
	var e contract.LossEvent
	for _, l := range losses {
		if l.Kind == buffer.Readings {
			e.Loss = append(e.Loss, contract.Loss{Run: l.Run, Sensor: l.Stream, First: l.First, Last: l.Last, Count: l.Count, Reason: l.Reason})
		}
	}
	body, err := Encode(contract.EventLoss, e)
	if err == nil && len(e.Loss) > 0 {
		err = j.keep(ctx, body)
	}
	if err != nil {
		j.cfg.Store.ReleaseLosses(losses)
		return err
	}
	j.cfg.Store.AckLosses(losses)
	if j.cfg.Lost != nil {
		j.cfg.Lost(e.Loss)
	}
	j.cfg.Log.Warn("readings are in the loss ledger", "ranges", len(losses), "reason", losses[0].Reason)
	return nil
}

// keep queues an event durably.
func (j *Journal) keep(ctx context.Context, body []byte) error {
	return j.cfg.Store.Update(ctx, func(tx *buffer.Tx) error { return tx.Append(buffer.Events, Events, j.cfg.Up(), body) })
}

// Package retire takes a stopped gateway out of service: what its store has not delivered is
// written to a file, its last events and its farewell go to the broker, and every retained document
// that it ever kept there is cleared. Whatever could not be done is named, and can be done again.
package retire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/clock"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/event"
	"github.com/fieldgate/fieldgate/internal/inspect"
	"github.com/fieldgate/fieldgate/internal/sizing"
	"github.com/fieldgate/fieldgate/internal/uplink"
)

const (
	deadPage  = 50
	eventPage = 100
	pageBytes = 1 << 20
)

// A Broker takes messages, each with an acknowledgement.
type Broker interface {
	Publish(ctx context.Context, topic string, payload []byte, retain bool) error
}

// Config is what a Gateway is made of.
type Config struct {
	Config  *config.Config
	Store   string // its file
	Version string // of the program
	Built   time.Time
	Log     *slog.Logger
}

// A Gateway is one that is being retired. Close ends it.
type Gateway struct {
	cfg    Config
	topics contract.Topics
	store  *buffer.Store
	clock  *clock.Clock
	view   *inspect.View
}

// Open opens the store of a gateway. That is a run of its own, whose boot event reports how the
// last one ended.
func Open(ctx context.Context, c Config) (*Gateway, error) {
	boot, err := clock.KernelBoot()
	if err != nil {
		return nil, err
	}
	g := &Gateway{cfg: c, topics: contract.NewTopics(c.Config.Gateway.TopicPrefix, c.Config.Gateway.ID)}
	o := sizing.Options(c.Config)
	o.PowerUpAge = func(string) (time.Duration, bool) { return 0, false } // nothing expires here
	o.Machine, o.Gateway, o.KernelBoot, o.Up, o.Log = config.MachineHash(), c.Config.Gateway.ID, boot, clock.Up, c.Log
	o.First = func(p buffer.Previous, store string, boot uint32) (string, []byte) {
		body, err := event.Boot(p, store, boot, c.Version, c.Config.Buffer.MaxLoss)
		if err != nil {
			panic(err) // a struct of strings and numbers
		}
		return event.Events, body
	}
	if g.store, err = buffer.Open(ctx, c.Store, o); err != nil {
		return nil, err
	}
	if !g.store.IsOpen() {
		err := fmt.Errorf("the store %s cannot be opened: %w", c.Store, g.store.Stats().Degraded)
		return nil, errors.Join(err, g.Close(ctx))
	}
	g.clock = clock.New(clock.Config{KernelBoot: boot, Source: clock.System(c.Config.Gateway.TrustClock), Store: clock.In(g.store), Built: c.Built, Last: clock.Last(ctx, g.store), Until: clock.Up()})
	if _, err := g.clock.Learn(); err != nil {
		c.Log.Warn("the time cannot be learned", "err", err)
	}
	g.view = inspect.New(c.Config.Gateway.ID, g.store, g.clock)
	journal := event.NewJournal(event.Config{Store: g.store, Up: clock.Up, Log: c.Log})
	if err := journal.AllLosses(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("the loss ledger: %w", err), g.Close(ctx))
	}
	return g, nil
}

// Close closes the store.
func (g *Gateway) Close(ctx context.Context) error { return g.store.Close(context.WithoutCancel(ctx)) }

// Waiting returns how many readings wait, and how many dead letters there are.
func (g *Gateway) Waiting() (readings, dead int64) {
	s := g.store.Stats()
	return s.Live + s.Backlog, s.Dead
}

// Topics returns where the broker keeps documents of this gateway.
func (g *Gateway) Topics(ctx context.Context) ([]string, error) {
	topics, err := uplink.Registered(ctx, g.store)
	return slices.Sorted(maps.Keys(topics)), err
}

// Export writes every event, reading and dead letter that the store has, a document in a line, as
// fieldgate verify reads them.
func (g *Gateway) Export(ctx context.Context, out io.Writer) error {
	w := bufio.NewWriter(out)
	line := func(text []byte) error {
		_, err := w.Write(append(text, '\n'))
		return err
	}
	for r, err := range g.store.Stored(ctx, buffer.Events) {
		if err != nil {
			return err
		}
		if r.Stream != event.Events {
			continue // a reply is of no use without the one who asked
		}
		_, text, err := uplink.RenderEvent(g.cfg.Config.Gateway.ID, g.clock, &r, nil)
		if err != nil {
			g.cfg.Log.Warn("an event cannot be read", "n", r.Seq, "err", err)
			continue
		}
		if err := line(text); err != nil {
			return err
		}
	}
	if err := g.view.Export(ctx, line); err != nil {
		return err
	}
	for after := int64(0); ; {
		letters, err := g.view.DeadLetters(ctx, after, deadPage)
		if err != nil {
			return err
		}
		if len(letters) == 0 {
			return w.Flush()
		}
		for _, d := range letters {
			after = d.ID
			if err := line(d.Document); err != nil {
				return err
			}
		}
	}
}

// A Report is what the broker took.
type Report struct {
	Events  int               // that were delivered
	Cleared int               // topics
	Left    map[string]string // topics that were not cleared, with the reason
}

// Leave delivers the events that wait, says farewell and clears every retained document. It goes on
// after a topic that is refused; what was done is remembered, so that it can be called again.
func (g *Gateway) Leave(ctx context.Context, b Broker) (Report, error) {
	r := Report{Left: map[string]string{}}
	topics, err := g.Topics(ctx)
	if err != nil {
		return r, err
	}
	if r.Events, err = g.deliver(ctx, b); err != nil {
		g.cfg.Log.Warn("the last events are not delivered; --export has them", "err", err)
	}
	presence := contract.Presence{Run: g.store.Run(), Store: g.store.ID(), Boot: g.store.Boot(), Version: g.cfg.Version, Now: g.clock.Now}
	if err := b.Publish(ctx, g.topics.Status(), presence.Document(contract.Offline), false); err != nil {
		g.cfg.Log.Warn("the farewell is not delivered", "topic", g.topics.Status(), "err", err)
	}
	for _, topic := range topics {
		if err := b.Publish(ctx, topic, nil, true); err != nil {
			r.Left[topic] = err.Error()
			if ctx.Err() != nil {
				return r, ctx.Err()
			}
			continue
		}
		if err := uplink.Forget(ctx, g.store, topic); err != nil {
			return r, err
		}
		r.Cleared++
	}
	return r, nil
}

// deliver sends the events that wait, in their order.
func (g *Gateway) deliver(ctx context.Context, b Broker) (n int, err error) {
	for {
		records := g.store.Take(buffer.EventLane, eventPage, pageBytes)
		if len(records) == 0 {
			return n, g.store.Flush(ctx)
		}
		for i := range records {
			if err := g.send(ctx, b, &records[i]); err != nil {
				g.store.Release(records[i:])
				return n, err
			}
			g.store.Ack(records[i : i+1])
			n++
		}
	}
}

// send sends an event or a reply. What cannot be read is passed over: it stays in the store.
func (g *Gateway) send(ctx context.Context, b Broker, r *buffer.Record) error {
	if r.Stream == event.Replies {
		return nil // the session of the one who asked is long over
	}
	kind, text, err := uplink.RenderEvent(g.cfg.Config.Gateway.ID, g.clock, r, nil)
	if err != nil {
		return err
	}
	return b.Publish(ctx, g.topics.Event(kind), text, false)
}

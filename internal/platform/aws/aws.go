// Package aws is AWS IoT Core: its limits, and a dialect in which the settings are a Device Shadow
// (shadow.go) and commands can be Jobs (jobs.go). Commands of the gateway's own contract go on
// working. What the service does is from its developer guide; nothing of it could be tried against
// the service itself.
package aws

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/event"
	"github.com/fieldgate/fieldgate/internal/link"
	"github.com/fieldgate/fieldgate/internal/platform"
	"github.com/fieldgate/fieldgate/internal/platform/plain"
	"github.com/fieldgate/fieldgate/mqtt"
)

// A Dialect is that of one gateway. It implements platform.Dialect.
type Dialect struct {
	parts   platform.Parts
	shadow  *deviceShadow
	jobs    *jobs
	changed chan struct{}
}

// New makes the dialect of the thing that the configuration names.
func New(c *config.Config, p platform.Parts, log *slog.Logger) *Dialect {
	d := &Dialect{parts: p, changed: make(chan struct{}, 1)}
	thing := "$aws/things/" + c.Cloud.Thing
	d.shadow = &deviceShadow{prefix: thing + "/shadow", thing: c.Cloud.Thing, parts: p, tokens: rand.Text, wake: d.wake, log: log}
	if c.Cloud.Shadow != "" {
		d.shadow.prefix += "/name/" + c.Cloud.Shadow
	}
	d.jobs = &jobs{prefix: thing + "/jobs", parts: p, tokens: rand.Text, wake: d.wake, log: log}
	return d
}

func (d *Dialect) wake() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// Subscriptions implements platform.Dialect.
func (d *Dialect) Subscriptions() []link.Subscription {
	return append(append([]link.Subscription{plain.Commands(d.parts)}, d.shadow.subscriptions()...), d.jobs.subscriptions()...)
}

// subscriptions are those of a service below prefix; without says what does not work otherwise.
func subscriptions(prefix, without string, topics ...string) (list []link.Subscription) {
	for _, topic := range topics {
		list = append(list, link.Subscription{Subscription: mqtt.Subscription{Filter: prefix + topic, QoS: mqtt.AtLeastOnce}, Without: without})
	}
	return list
}

// Retained implements platform.Dialect: $aws keeps nothing retained.
func (d *Dialect) Retained() []string { return nil }

// Connected implements platform.Dialect. Whatever the session kept, the document and the next job
// are asked for.
func (d *Dialect) Connected(yes bool) {
	now := time.Now()
	d.shadow.link(yes, now)
	d.jobs.link(yes, now)
	d.wake()
}

// Receive implements platform.Dialect.
func (d *Dialect) Receive(ctx context.Context, m *mqtt.Message) (bool, error) {
	if rest, ok := strings.CutPrefix(m.Topic, d.shadow.prefix); ok {
		return true, d.shadow.receive(ctx, rest, m.Payload, time.Now())
	}
	if rest, ok := strings.CutPrefix(m.Topic, d.jobs.prefix); ok {
		return true, d.jobs.receive(ctx, rest, m.Payload, time.Now())
	}
	return plain.Command(ctx, d.parts, m)
}

// Report implements platform.Dialect.
func (d *Dialect) Report(r contract.Reported, origins map[string]string) {
	d.shadow.report(r, origins)
	d.wake()
}

// Reply implements platform.Dialect.
func (d *Dialect) Reply(r event.Reply) event.Reply {
	r, _ = d.jobs.answer(r)
	return r
}

// Trouble implements platform.Dialect.
func (d *Dialect) Trouble() []string {
	return append(d.shadow.trouble(time.Now()), d.jobs.trouble()...)
}

// Run implements platform.Dialect: it sends requests, and those again that were not answered.
func (d *Dialect) Run(ctx context.Context) error {
	for {
		now := time.Now()
		wait := min(d.shadow.step(now), d.jobs.step(now))
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-d.changed:
			timer.Stop()
		case <-timer.C:
		}
	}
}

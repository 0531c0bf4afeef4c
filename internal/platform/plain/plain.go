// Package plain is the dialect of the gateway's own contract (docs/topics.md): retained documents
// P/shadow/desired and P/shadow/reported, commands on P/cmd/<command>, replies where these say.
package plain

import (
	"context"
	"encoding/json"

	"github.com/fieldgate/fieldgate/internal/command"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/event"
	"github.com/fieldgate/fieldgate/internal/link"
	"github.com/fieldgate/fieldgate/internal/platform"
	"github.com/fieldgate/fieldgate/mqtt"
)

// A Dialect is that of one gateway.
type Dialect struct{ parts platform.Parts }

// New makes it.
func New(p platform.Parts) *Dialect { return &Dialect{p} }

// Subscriptions implements platform.Dialect.
func (d *Dialect) Subscriptions() []link.Subscription {
	return []link.Subscription{
		Commands(d.parts),
		{Subscription: mqtt.Subscription{Filter: d.parts.Topics.Desired(), QoS: mqtt.AtLeastOnce}, Without: "no desired shadow arrives"},
	}
}

// Commands is the subscription to the contract's commands. A broker without wildcards gets one
// filter for each of those that may run.
func Commands(p platform.Parts) link.Subscription {
	var alternatives []string
	for _, name := range p.Commands {
		alternatives = append(alternatives, p.Topics.Command(name))
	}
	return link.Subscription{Subscription: mqtt.Subscription{Filter: p.Topics.Commands(), QoS: mqtt.AtLeastOnce, RetainAsPublished: true, Alternatives: alternatives}, Without: "no commands arrive"}
}

// Retained implements platform.Dialect.
func (d *Dialect) Retained() []string { return []string{d.parts.Topics.Reported()} }

// Connected implements platform.Dialect: the session and retained documents need no help.
func (d *Dialect) Connected(bool) {}

// Receive implements platform.Dialect.
func (d *Dialect) Receive(ctx context.Context, m *mqtt.Message) (bool, error) {
	if m.Topic == d.parts.Topics.Desired() {
		return true, d.parts.Desired(ctx, m.Payload)
	}
	return Command(ctx, d.parts, m)
}

// Command takes in a message if it is one of the contract's commands.
func Command(ctx context.Context, p platform.Parts, m *mqtt.Message) (bool, error) {
	name, ok := p.Topics.CommandName(m.Topic)
	if !ok || m.Retain && len(m.Payload) == 0 { // an empty retained command clears the topic
		return ok, nil
	}
	return true, p.Accept(ctx, command.Request{
		Name: name, Payload: m.Payload, ResponseTopic: m.ResponseTopic,
		Correlation: append([]byte(nil), m.CorrelationData...), Retained: m.Retain, Expiry: m.Expiry,
	})
}

// Report implements platform.Dialect.
func (d *Dialect) Report(r contract.Reported, _ map[string]string) {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // a struct of texts and numbers
	}
	d.parts.Uplink().Set(d.parts.Topics.Reported(), text, nil)
}

// Reply implements platform.Dialect.
func (d *Dialect) Reply(r event.Reply) event.Reply { return r }

// Trouble implements platform.Dialect.
func (d *Dialect) Trouble() []string { return nil }

// Run implements platform.Dialect: there is nothing to do.
func (d *Dialect) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

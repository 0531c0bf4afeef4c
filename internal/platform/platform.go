package platform

import (
	"context"

	"github.com/fieldgate/fieldgate/internal/command"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/event"
	"github.com/fieldgate/fieldgate/internal/link"
	"github.com/fieldgate/fieldgate/mqtt"
)

// A Dialect is how a platform steers one gateway. Connected and Receive are called by the client's
// goroutines, one at a time; all other methods may be called from any goroutine. None but Run
// waits for the network.
type Dialect interface {
	// Subscriptions are made with every connection.
	Subscriptions() []link.Subscription
	// Retained are the topics on which it keeps a retained document.
	Retained() []string
	// Connected begins a connection, or ends it; what was under way on the last one is forgotten.
	Connected(yes bool)
	// Receive takes in a message, and reports whether it is on one of the dialect's topics. An
	// error is the store's: the message is not acknowledged, and comes again.
	Receive(ctx context.Context, m *mqtt.Message) (bool, error)
	// Report makes the settings in force known. origins has the paths of those that come from the
	// platform ("sensors.hall.every"). It is called for the first time before there is a
	// connection, then whenever a wish was taken in.
	Report(r contract.Reported, origins map[string]string)
	// Reply gives a reply the form that the platform expects, just before it is sent.
	Reply(r event.Reply) event.Reply
	// Trouble says what keeps the dialect from working, a sentence each, with its remedy.
	Trouble() []string
	// Run does what takes time, until ctx ends.
	Run(ctx context.Context) error
}

// Parts are what a dialect works with.
type Parts struct {
	Topics   contract.Topics
	Commands []string // that may run
	// Desired takes in a document of the contract's form, with its version.
	Desired func(ctx context.Context, payload []byte) error
	// Adopt takes in the whole wish as the platform has it now, whatever its version.
	Adopt func(ctx context.Context, d contract.Desired) error
	// Accept takes in a command.
	Accept func(ctx context.Context, q command.Request) error
	Uplink func() Uplink
}

// An Uplink publishes documents with QoS 1. Its methods return at once. Of each topic only the
// newest text waits, and a topic that the broker refuses is named in health.
type Uplink interface {
	// Set makes text the retained document of a topic.
	Set(topic string, text []byte, done func())
	// Publish sends text once, not retained. What the end of a connection leaves unacknowledged is
	// not sent again.
	Publish(topic string, text []byte)
}

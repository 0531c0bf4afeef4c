package main

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/mqtt"
)

// collector subscribes to everything of every gateway.
type collector struct {
	client   *mqtt.Client
	mu       sync.Mutex
	messages []string // topic, space, payload
}

func collect(t *testing.T, broker string) *collector {
	t.Helper()
	c := &collector{}
	var err error
	c.client, err = mqtt.New(mqtt.Config{URLs: []string{broker}, ClientID: "collector", ReceiveMaximum: 1000,
		Backoff:       mqtt.Backoff{Min: 50 * time.Millisecond, Max: 200 * time.Millisecond},
		Subscriptions: []mqtt.Subscription{{Filter: "fieldgate/#", QoS: mqtt.AtLeastOnce}},
		Handler: func(_ context.Context, m *mqtt.Message) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.messages = append(c.messages, m.Topic+" "+string(m.Payload))
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = c.client.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	c.connected(t)
	return c
}

func (c *collector) connected(t *testing.T) {
	t.Helper()
	eventually(t, 5*time.Second, "the collector is connected", func() bool { return c.client.Stats().Connected })
}

// until waits for a message on a topic below fieldgate/gw/ that contains part.
func (c *collector) until(t *testing.T, topic, part string) {
	t.Helper()
	eventually(t, 15*time.Second, topic+" with "+part, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return slices.ContainsFunc(c.messages, func(m string) bool {
			at, payload, _ := strings.Cut(m, " ")
			return at == "fieldgate/gw/"+topic && strings.Contains(payload, part)
		})
	})
}

// take returns what came since the last call.
func (c *collector) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.messages
	c.messages = nil
	return m
}

// peek returns what came since the last call of take.
func (c *collector) peek() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.messages)
}

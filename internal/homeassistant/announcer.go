package homeassistant

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/shadow"
)

// spread is how long an announcement waits at most after Home Assistant has started: not everything
// in the house speaks at once.
const spread = 10 * time.Second

// An Uplink keeps documents, retained.
type Uplink interface {
	// Set makes text the document of a topic.
	Set(topic string, text []byte, done func())
	// Repeat sends the document of a topic again.
	Repeat(topic string)
}

// TopicPrefix returns what the topics of all documents begin with; "" if discovery is off.
func TopicPrefix(c *config.Config) string {
	if !c.HomeAssistant.Discovery {
		return ""
	}
	return c.HomeAssistant.Prefix + "/device/"
}

// BirthTopic returns where Home Assistant says that it has started; "" if discovery is off.
func BirthTopic(c *config.Config) string {
	if !c.HomeAssistant.Discovery {
		return ""
	}
	return c.HomeAssistant.Prefix + "/status"
}

// An Announcer publishes the documents. With discovery off it does nothing.
type Announcer struct {
	facts  Facts
	uplink Uplink
	topics []string
	births chan struct{}
}

// New makes an Announcer. Apply announces for the first time.
func New(f Facts, u Uplink) *Announcer {
	return &Announcer{facts: f, uplink: u, topics: f.topics(), births: make(chan struct{}, 1)}
}

// Apply announces what changes with settings that came into force: the gateway before the sensors,
// whose devices refer to it.
func (a *Announcer) Apply(in shadow.Settings) {
	if len(a.topics) == 0 {
		return
	}
	documents := a.facts.Documents(in)
	for _, t := range a.topics {
		a.uplink.Set(t, documents[t], nil)
	}
}

// Retained adds the topics on which documents are kept.
func (a *Announcer) Retained(topics map[string]bool) map[string]bool {
	for _, t := range a.topics {
		topics[t] = true
	}
	return topics
}

// Birth takes in a message on BirthTopic; false: it is on another one.
func (a *Announcer) Birth(topic string, payload []byte) bool {
	if birth := BirthTopic(a.facts.Config); birth == "" || topic != birth {
		return false
	}
	if string(payload) == "online" {
		select {
		case a.births <- struct{}{}:
		default: // one is due already
		}
	}
	return true
}

// Run announces again after each start of Home Assistant, until ctx ends.
func (a *Announcer) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.births:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(rand.N(spread)):
		}
		for _, t := range a.topics {
			a.uplink.Repeat(t)
		}
	}
}

package link

import (
	"strings"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/mqtt"
)

// Topics returns the topics of the gateway that a configuration is for.
func Topics(c *config.Config) contract.Topics {
	return contract.NewTopics(c.Gateway.TopicPrefix, c.Gateway.ID).Behind(strings.TrimSuffix(c.Telemetry.Topic, config.TopicPart))
}

// A Subscription is one that the gateway makes with every connection, and what does not work
// without it.
type Subscription struct {
	mqtt.Subscription
	Without string
}

// Subscriptions returns what the gateway subscribes to. dialect is what the platform steers it by,
// birth where Home Assistant says that it has started; "" if nobody asks.
func Subscriptions(t contract.Topics, dialect []Subscription, birth string) []Subscription {
	list := append(dialect, Subscription{mqtt.Subscription{Filter: t.Status(), QoS: mqtt.AtLeastOnce}, "a P/status that another client overwrites stays wrong"})
	if birth != "" {
		list = append(list, Subscription{mqtt.Subscription{Filter: birth, QoS: mqtt.AtLeastOnce, RetainHandling: mqtt.RetainDoNotSend}, "nothing is announced again when Home Assistant starts"})
	}
	return list
}

// ForClient returns them as mqtt.Config has them, in the same order.
func ForClient(list []Subscription) []mqtt.Subscription {
	subscriptions := make([]mqtt.Subscription, len(list))
	for i := range list {
		subscriptions[i] = list[i].Subscription
	}
	return subscriptions
}

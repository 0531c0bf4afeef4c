package link

import (
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/mqtt"
)

// Subscriptions returns what the gateway subscribes to with every connection. A broker without
// wildcards gets one filter for each of the commands that may run.
func Subscriptions(t contract.Topics, commands []string) []mqtt.Subscription {
	var alternatives []string
	for _, name := range commands {
		alternatives = append(alternatives, t.Command(name))
	}
	return []mqtt.Subscription{
		{Filter: t.Commands(), QoS: mqtt.AtLeastOnce, RetainAsPublished: true, Alternatives: alternatives},
		{Filter: t.Desired(), QoS: mqtt.AtLeastOnce},
		{Filter: t.Status(), QoS: mqtt.AtLeastOnce},
	}
}

// Needs returns what does not work without each of the Subscriptions, in their order.
func Needs(t contract.Topics) []Need {
	return []Need{
		{Filter: t.Commands(), Without: "no commands arrive"},
		{Filter: t.Desired(), Without: "no desired shadow arrives"},
		{Filter: t.Status(), Without: "a P/status that another client overwrites stays wrong"},
	}
}

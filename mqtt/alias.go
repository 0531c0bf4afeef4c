package mqtt

import (
	lru "container/list"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// topicAliases are the aliases that the client gave to topics on one connection. They end with it
// [MQTT-3.3.2-7].
//
// A topic keeps its alias while it is in use: another one takes it only after aliasLease uses of
// each alias since. So if more topics than aliases are sent in turn, they do not take aliases from
// each other, and topics that are no longer used free theirs.
type topicAliases struct {
	limit   int    // the largest alias
	uses    uint64 // calls of use
	byTopic map[string]*lru.Element
	order   lru.List // of *topicAlias, the one not used for the longest time first
}

type topicAlias struct {
	topic  string
	number uint16
	used   uint64 // topicAliases.uses at that time
}

const (
	// aliasLease times the number of aliases is how many messages an alias outlasts without being
	// used.
	aliasLease = 8
	// aliasCost is the most that an alias adds to a packet, in bytes: the property and what the two
	// lengths before it grow by. Shorter topics are not worth one.
	aliasCost = 5
)

// use returns the alias to send topic with, 0 for none, and whether the broker knows it already.
func (a *topicAliases) use(topic string) (number uint16, known bool) {
	if a.limit == 0 || len(topic) <= aliasCost {
		return 0, false
	}
	a.uses++
	e := a.byTopic[topic]
	switch {
	case e != nil:
		known = true
	case a.order.Len() < a.limit:
		e = a.order.PushBack(&topicAlias{number: uint16(a.order.Len() + 1)})
		if a.byTopic == nil {
			a.byTopic = make(map[string]*lru.Element)
		}
	default:
		e = a.order.Front()
		if a.uses-e.Value.(*topicAlias).used <= uint64(aliasLease*a.limit) {
			return 0, false
		}
		delete(a.byTopic, e.Value.(*topicAlias).topic)
	}
	x := e.Value.(*topicAlias)
	x.used = a.uses
	if !known {
		x.topic = topic
		a.byTopic[topic] = e
	}
	a.order.MoveToBack(e)
	return x.number, known
}

// shorten replaces the topic of p by its alias, or announces one. size is that of p, with its
// topic. p is sent next: the broker learns aliases in the order of the packets.
func (n *conn) shorten(p *packet.Publish, size int) {
	if size+aliasCost > int(n.negotiated.MaximumPacketSize) {
		return
	}
	number, known := n.outAliases.use(p.Topic)
	if number == 0 {
		return
	}
	n.lastAlias = n.now()
	p.Properties.TopicAlias = number
	p.Properties.Present |= packet.Props(packet.PropTopicAlias)
	if known {
		p.Topic = ""
	}
}

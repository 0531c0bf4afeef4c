package mqtt

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// TestTopicAliasChoice checks which topics get and keep aliases.
func TestTopicAliasChoice(t *testing.T) {
	use := func(a *topicAliases, topics ...string) (got []string) {
		for _, topic := range topics {
			n, known := a.use(topic)
			got = append(got, fmt.Sprintf("%d%v", n, known))
		}
		return got
	}
	off := new(topicAliases)
	wantList(t, "no aliases", use(off, "topic/a", "topic/a"), "0false", "0false")

	a := &topicAliases{limit: 2}
	wantList(t, "first uses", use(a, "topic/a", "topic/b", "topic/a", "topic/b", "short", "topic/c"),
		"1false", "2false", "1true", "2true", "0false", "0false")
	// b and c in turn: a was not used for so long that c gets its alias.
	for i := 0; ; i++ {
		use(a, "topic/b")
		if n, _ := a.use("topic/c"); n != 0 {
			if n != 1 || i < aliasLease-2 || i > aliasLease+2 {
				t.Errorf("alias %d after %d uses", n, i)
			}
			break
		}
		if i > 1000 {
			t.Fatal("c gets no alias")
		}
	}
	wantList(t, "afterwards", use(a, "topic/c", "topic/b", "topic/a"), "1true", "2true", "0false")

	// More topics than aliases, in turn, do not rob each other.
	a = &topicAliases{limit: 4}
	known := 0
	for i := range 800 {
		if _, ok := a.use(fmt.Sprint("topic/", i%8)); ok {
			known++
		}
	}
	if known != 400-4 {
		t.Errorf("%d of 800 by alias, want half of them", known)
	}
}

func aliasLimit(n uint16) packet.Properties {
	return packet.Properties{Present: packet.Props(packet.PropTopicAliasMaximum), TopicAliasMaximum: n}
}

// TestOutboundTopicAliases checks that messages of every QoS use aliases, repetitions do not, and
// that aliases end with the connection.
func TestOutboundTopicAliases(t *testing.T) {
	for _, v := range []struct {
		name          string
		client        uint16
		broker        uint16
		first, second []string
	}{
		{"both", 10, 10, []string{"topic/a", "topic/b", "2", "1", "2"}, []string{"topic/a+", "topic/b+", "topic/b+", "topic/a", "topic/b", "1"}},
		{"client limits", 1, 10, []string{"topic/a", "topic/b", "topic/b", "1", "topic/b"}, []string{"topic/a+", "topic/b+", "topic/b+", "topic/a", "topic/b", "1"}},
		{"broker limits", 10, 1, []string{"topic/a", "topic/b", "topic/b", "1", "topic/b"}, []string{"topic/a+", "topic/b+", "topic/b+", "topic/a", "topic/b", "1"}},
		{"not asked for", 0, 10, []string{"topic/a", "topic/b", "topic/b", "topic/a", "topic/b"}, []string{"topic/a+", "topic/b+", "topic/b+", "topic/a", "topic/b", "topic/a"}},
		{"not offered", 10, 0, []string{"topic/a", "topic/b", "topic/b", "topic/a", "topic/b"}, []string{"topic/a+", "topic/b+", "topic/b+", "topic/a", "topic/b", "topic/a"}},
	} {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mqtttest.New(mqtttest.Behavior{Properties: aliasLimit(v.broker), NoPuback: true})
				defer b.Close()
				cfg := connectTo(b)
				cfg.OutboundTopicAliases = v.client
				k := start(t, cfg)
				k.await(t, Connected)
				var o outcomes
				for i, topic := range []string{"topic/a", "topic/b", "topic/b", "topic/a", "topic/b"} {
					k.send(t, &o, Message{Topic: topic, QoS: []QoS{1, 2, 1, 0, 0}[i]})
				}
				synctest.Wait()
				wantList(t, "first connection", topicsTo(b, 1), v.first...)
				b.Behave(func(h *mqtttest.Behavior) { h.NoPuback = false })
				b.Cut()
				k.await(t, Disconnected)
				k.await(t, Connected)
				for _, topic := range []string{"topic/a", "topic/b", "topic/a"} {
					k.send(t, &o, Message{Topic: topic, QoS: 1})
				}
				synctest.Wait()
				wantList(t, "second connection", topicsTo(b, 2), v.second...)
				wantList(t, "violations", b.Violations())
				k.close(t, false)
			})
		})
	}
}

// topicsTo lists what stood for the topics of the packets on a connection: the topic, with a mark
// for DUP, or the alias.
func topicsTo(b *mqtttest.Broker, connection int) (list []string) {
	for _, p := range b.Published() {
		switch {
		case p.Connection != connection:
		case p.Aliased:
			list = append(list, fmt.Sprint(p.Properties.TopicAlias))
		case p.Dup:
			list = append(list, p.Topic+"+")
		default:
			list = append(list, p.Topic)
		}
	}
	return list
}

// TestTopicAliasAndPacketSize checks that an alias never makes a packet too large, and that a
// message must fit with its topic.
func TestTopicAliasAndPacketSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := aliasLimit(10)
		limits.MaximumPacketSize = 100
		limits.Present |= packet.Props(packet.PropMaximumPacketSize)
		b := mqtttest.New(mqtttest.Behavior{Properties: limits})
		defer b.Close()
		cfg := connectTo(b)
		cfg.OutboundTopicAliases = 10
		k := start(t, cfg)
		k.await(t, Connected)
		topic := strings.Repeat("x", 50)
		whole := 100 - 2 - 2 - len(topic) - 2 - 1 // exactly fits without an alias
		var o outcomes
		for _, size := range []int{whole, 0, whole, whole + 1} {
			if err := k.Send(&Message{Topic: topic, QoS: 1, Payload: make([]byte, size)}, o.done(fmt.Sprint(size))); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		slices.Sort(o.list)
		wantList(t, "outcomes", o.list, "0: 0x00 success", "43: 0x00 success", "43: 0x00 success", "44: "+ErrTooLarge.Error())
		wantList(t, "violations", b.Violations())
		k.close(t, false)
	})
}

func TestMosquittoTopicAliases(t *testing.T) {
	u := tcpMosquitto(t, "max_topic_alias 3\n")
	k := start(t, Config{URLs: []string{u}, OutboundTopicAliases: 100, Subscriptions: []Subscription{{Filter: "fieldgate/#", QoS: ExactlyOnce}}})
	if e := k.await(t, Connected); e.Negotiated.TopicAliasMaximum == 0 {
		t.Skip("this mosquitto takes no aliases")
	}
	before := k.Stats().BytesOut
	const n = 100
	for i := range n {
		topic := fmt.Sprint("fieldgate/plant7/telemetry/", i%5)
		k.publish(t, &Message{Topic: topic, QoS: QoS(i % 3), Payload: []byte(topic)})
		if m := k.message(t); m.Topic != topic || string(m.Payload) != topic {
			t.Errorf("want %q, got %q", topic, m.Topic)
		}
	}
	if used, full := k.Stats().BytesOut-before, uint64(n*2*len("fieldgate/plant7/telemetry/0")); used > full {
		t.Errorf("%d bytes for %d messages: no aliases?", used, n)
	}
	k.close(t, false)
}

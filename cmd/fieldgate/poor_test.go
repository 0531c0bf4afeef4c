package main

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// scripted is a broker with faults on a free loopback port.
func scripted(t *testing.T, b mqtttest.Behavior) (*mqtttest.Broker, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	broker := mqtttest.New(b)
	broker.Serve(l)
	t.Cleanup(broker.Close)
	return broker, "mqtt://" + l.Addr().String()
}

// reasons returns why a gateway is degraded, a line each.
func (g *gatewayRig) reasons() string {
	s, err := g.ask()
	if err != nil {
		return ""
	}
	return strings.Join(s.Health.Reasons, "\n")
}

// TestBrokerWithoutWildcardsAndRetainedMessages: commands arrive all the same, documents go without
// RETAIN, and what is missing is reported.
func TestBrokerWithoutWildcardsAndRetainedMessages(t *testing.T) {
	broker, url := scripted(t, mqtttest.Behavior{Properties: packet.Properties{Present: packet.Props(packet.PropWildcardSubscriptionAvailable, packet.PropRetainAvailable)}})
	g := newGateway(t, url, waveSensor)
	g.running()
	published := func(topic string) []mqtttest.Publication {
		return slices.DeleteFunc(broker.Published(), func(p mqtttest.Publication) bool { return p.Topic != topic })
	}
	eventually(t, 10*time.Second, "a command is answered", func() bool {
		broker.Publish(packet.Publish{Topic: "fieldgate/gw/cmd/ping", QoS: 1, Payload: []byte(`{"id":"p1"}`)})
		return len(published("fieldgate/gw/reply/ping")) > 0
	})
	eventually(t, 10*time.Second, "the newest reading is published", func() bool { return len(published("fieldgate/gw/last/wave")) > 0 })
	if text := g.reasons(); !strings.Contains(text, "the broker keeps no retained messages") || strings.Contains(text, "cmd/") {
		t.Errorf("reasons:\n%s", text)
	}
	if code := g.stop(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	last := published("fieldgate/gw/status")
	if n := len(last); n < 2 || !strings.Contains(string(last[n-1].Payload), `"offline"`) {
		t.Errorf("no good-bye among %d status documents", n)
	}
	if wrong := broker.Violations(); len(wrong) > 0 {
		t.Errorf("the broker complains: %q", wrong)
	}
}

// TestRefusalOfTheBrokerCostsAFewReadings: a broker that answers 0x99 to everything, and then does
// not any more.
func TestRefusalOfTheBrokerCostsAFewReadings(t *testing.T) {
	t.Parallel()
	broker, url := scripted(t, mqtttest.Behavior{AckCode: packet.PayloadFormatInvalid})
	g := newGateway(t, url, "[[sensor]]\nname = \"fast\"\ndriver = \"sim\"\nevery = \"50ms\"\n")
	g.running()
	eventually(t, 20*time.Second, "the topic is named", func() bool {
		return strings.Contains(g.reasons(), "the broker answers 0x99 to fieldgate/gw/telemetry/fast: ")
	})
	eventually(t, 20*time.Second, "readings wait", func() bool { s, err := g.ask(); return err == nil && s.Health.Queue.Appended > 300 })
	s, err := g.ask()
	if err != nil || s.Health.Queue.Refused > 10 {
		t.Errorf("%d dead letters, %v", s.Health.Queue.Refused, err)
	}
	broker.Behave(func(b *mqtttest.Behavior) { b.AckCode = 0 })
	eventually(t, 60*time.Second, "what waited is delivered", func() bool {
		s, err := g.ask()
		return err == nil && s.Health.Queue.Delivered > 300 && s.Health.Queue.Live < 50
	})
}

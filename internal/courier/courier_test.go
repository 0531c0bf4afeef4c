package courier

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// dial serves a broker on a loopback port.
func dial(t *testing.T, b mqtttest.Behavior) (*mqtttest.Broker, *config.Config) {
	t.Helper()
	broker := mqtttest.New(b)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	broker.Serve(l)
	t.Cleanup(broker.Close)
	return broker, &config.Config{MQTT: config.MQTT{URLs: []string{"mqtt://" + l.Addr().String()}, ClientID: "gw"}}
}

// TestCourier publishes as the gateway, and leaves no session.
func TestCourier(t *testing.T) {
	broker, c := dial(t, mqtttest.Behavior{})
	c.MQTT.URLs = append([]string{"mqtt://127.0.0.1:1"}, c.MQTT.URLs...) // the first does not answer
	k, err := Connect(t.Context(), c, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{"a", "b"} {
		if err := k.Publish(t.Context(), topic, nil, true); err != nil {
			t.Error(err)
		}
	}
	k.Close()
	first := broker.Connects()[0]
	if p := broker.Published(); len(p) != 2 || !p[0].Retain || p[0].ClientID != "gw" || !first.CleanStart || first.Properties.SessionExpiry != 0 || first.Will != nil {
		t.Errorf("%+v, %+v", p, first)
	}
	if d := broker.Disconnects(); len(d) != 1 || d[0].Code != 0 || len(broker.Violations()) > 0 {
		t.Errorf("%v, %q", d, broker.Violations())
	}
}

// TestNothingToClear: a broker that keeps no retained messages is not asked to clear one.
func TestNothingToClear(t *testing.T) {
	var b mqtttest.Behavior
	b.Properties.Present = packet.Props(packet.PropRetainAvailable)
	broker, c := dial(t, b)
	k, err := Connect(t.Context(), c, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if err := k.Publish(t.Context(), "a", nil, true); err != nil || len(broker.Published()) != 0 {
		t.Errorf("%v, %v", err, broker.Published())
	}
}

// TestRefused: the reason is what the broker said.
func TestRefused(t *testing.T) {
	_, c := dial(t, mqtttest.Behavior{Refuse: packet.NotAuthorized})
	if _, err := Connect(t.Context(), c, time.Now()); err == nil || !strings.Contains(err.Error(), "not") {
		t.Errorf("got %v", err)
	}
	_, c = dial(t, mqtttest.Behavior{AckCode: packet.NotAuthorized})
	k, err := Connect(t.Context(), c, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if err := k.Publish(t.Context(), "a", nil, true); err == nil || !strings.Contains(err.Error(), "0x87") {
		t.Errorf("got %v", err)
	}
	_, c = dial(t, mqtttest.Behavior{Mute: true})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := Connect(ctx, c, time.Now()); err == nil {
		t.Error("it is connected to a broker that is silent")
	}
}

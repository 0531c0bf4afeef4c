package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/probe"
	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

func TestLine(t *testing.T) {
	const topic = "fieldgate/gw/reply/doctor"
	for _, v := range []struct {
		name     string
		behavior mqtttest.Behavior
		connects int
		want     []string
	}{
		{"well", mqtttest.Behavior{}, 1, []string{"ok line: a message is acknowledged after ", "(median of 5, QoS 1 to " + topic + ") → \n"}},
		{"limits", mqtttest.Behavior{Properties: packet.Properties{
			Present: packet.Props(packet.PropReceiveMaximum, packet.PropMaximumPacketSize, packet.PropServerKeepAlive, packet.PropSessionExpiry, packet.PropMaximumQoS,
				packet.PropRetainAvailable, packet.PropWildcardSubscriptionAvailable, packet.PropTopicAliasMaximum),
			ReceiveMaximum: 20, MaximumPacketSize: 128 << 10, ServerKeepAlive: 30, SessionExpiry: 600, MaximumQoS: 1, TopicAliasMaximum: 8}}, 1,
			[]string{"the broker allows 20 messages in flight (Receive Maximum), packets of 128KiB (Maximum Packet Size), keep alive 30s, session expiry 10m, QoS 1, " +
				"no retained messages, no wildcards, 8 topic aliases", "ok line: a message is acknowledged"}},
		{"QoS 0 only", mqtttest.Behavior{Properties: packet.Properties{Present: packet.Props(packet.PropMaximumQoS)}}, 1,
			[]string{"ok line: a ping is answered after ", "; the broker takes QoS 0 only"}},
		{"refused", mqtttest.Behavior{AckCode: packet.NotAuthorized}, 2,
			[]string{"ok line: a ping is answered after ", "(median of 5); the broker does not take " + topic + " (0x87 not authorized)"}},
		{"refused and closed", mqtttest.Behavior{RefuseAt: topic}, 2, []string{"ok line: a ping is answered", "does not take " + topic + " (0x87"}},
		{"closed with a reason", mqtttest.Behavior{CloseAt: topic, CloseCode: packet.TopicNameInvalid}, 2, []string{"ok line: a ping is answered", "does not take " + topic + " (0x90"}},
		{"closed", mqtttest.Behavior{CloseAt: topic}, 2, []string{"ok line: a ping is answered", "does not take " + topic + " (EOF"}},
		{"no ping either", mqtttest.Behavior{AckCode: packet.NotAuthorized, NoPingresp: true}, 2, []string{"warn line: the broker does not take", "and a ping has no answer"}},
	} {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mqtttest.New(v.behavior)
				defer b.Close()
				p := healthy(t, b)
				p.Config.Gateway = config.Gateway{ID: "gw", TopicPrefix: "fieldgate"}
				got := text(p.broker(t.Context()))
				for _, want := range v.want {
					if !strings.Contains(got, want) {
						t.Errorf("want %q in\n%s", want, got)
					}
				}
				if n := len(b.Connects()); n != v.connects {
					t.Errorf("%d connections, want %d", n, v.connects)
				}
				for _, m := range b.Published() {
					if m.Retain || m.Topic != topic || m.QoS != 1 {
						t.Errorf("%+v", m)
					}
				}
			})
		})
	}
}

// TestCommandsStayInTheSession: what the broker delivers while doctor measures is not acknowledged.
func TestCommandsStayInTheSession(t *testing.T) {
	b := mqtttest.New(mqtttest.Behavior{})
	defer b.Close()
	p := healthy(t, b)
	p.Config.Gateway = config.Gateway{ID: "gw", TopicPrefix: "fieldgate"}
	conn, err := b.Dial(t.Context(), nil, nil) // the gateway, before
	if err != nil {
		t.Fatal(err)
	}
	in := probe.NewReader(conn)
	say := func(q packet.Packet) {
		t.Helper()
		if _, err := conn.Write(q.Append(nil)); err != nil {
			t.Fatal(err)
		}
	}
	say(&packet.Connect{ClientID: "gw", Properties: packet.Properties{Present: packet.Props(packet.PropSessionExpiry), SessionExpiry: 3600}})
	if _, err := probe.ReadConnack(in); err != nil {
		t.Fatal(err)
	}
	say(&packet.Subscribe{ID: 1, Subscriptions: []packet.Subscription{{Filter: "cmd", QoS: 1}}})
	if _, _, err := probe.Next(in); err != nil {
		t.Fatal(err)
	}
	say(&packet.Disconnect{})
	conn.Close()
	for len(b.Disconnects()) == 0 {
		time.Sleep(time.Millisecond)
	}
	b.Publish(packet.Publish{Topic: "cmd", QoS: 1, Payload: []byte("write")})
	if got := text(p.broker(t.Context())); !strings.Contains(got, "ok line: a message is acknowledged") {
		t.Error(got)
	}
	if a := b.Acks(); len(a) != 0 {
		t.Errorf("acknowledged: %+v", a)
	}
}

// TestRunningGateway: doctor does not connect beside it, and repeats what it negotiated.
func TestRunningGateway(t *testing.T) {
	p := Config{Config: &config.Config{}, Running: &contract.LocalStatus{Broker: "mqtt://b", Proxy: "http://proxy:3128", Health: contract.Health{Link: contract.LinkHealth{Connected: true}},
		Limits: &contract.Limits{ReceiveMaximum: 10, MaximumPacketSize: 268_435_460, SessionExpiry: 4294967295, MaximumQoS: 2, Retain: true, Wildcards: true}}}
	got := text(p.broker(t.Context()))
	for _, want := range []string{"connected to mqtt://b, through the proxy http://proxy:3128", "10 messages in flight (Receive Maximum), packets of any size, keep alive 0s, session expiry without end",
		"no publish_rate", "ok line: it was not measured"} {
		if !strings.Contains(got, want) {
			t.Errorf("want %q in\n%s", want, got)
		}
	}
}

// TestPasswordCommand: a command that fails has the remedy of a command.
func TestPasswordCommand(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("#!/bin/sh\necho 'log in first' >&2; exit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	b := mqtttest.New(mqtttest.Behavior{})
	defer b.Close()
	p := healthy(t, b)
	p.Config.MQTT.PasswordCommand = []string{file}
	if got := text(p.broker(t.Context())); !strings.Contains(got, `exit status 1: it says "log in first" → try it by hand with the rights of the service: sudo systemd-run`) {
		t.Error(got)
	}
}

// TestUnknownNameBehindAProxy: the proxy looks it up.
func TestUnknownNameBehindAProxy(t *testing.T) {
	b := mqtttest.New(mqtttest.Behavior{})
	defer b.Close()
	p := healthy(t, b)
	p.Config.MQTT.URLs = []string{"mqtt://no-such-host.invalid"}
	p.Proxy = func(string) string { return "http://proxy:3128" }
	if got := text(p.broker(t.Context())); !strings.Contains(got, "ok broker mqtt://no-such-host.invalid: it accepts this gateway") {
		t.Error(got)
	}
	p.Dial = func(context.Context, *url.URL, *tls.Config) (net.Conn, error) { return nil, errors.New("no") }
	if got := text(p.broker(t.Context())); strings.Contains(got, "resolvectl") {
		t.Error(got)
	}
}

package gateway

import (
	"cmp"
	"context"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/credential"
	"github.com/fieldgate/fieldgate/internal/link"
	"github.com/fieldgate/fieldgate/internal/uplink"
	"github.com/fieldgate/fieldgate/mqtt"
	"github.com/fieldgate/fieldgate/systemd"
)

// topicAliases is how many topics are replaced by a number on the way up, if the broker allows it.
const topicAliases = 32

// inFlight is how many messages the gateway leaves unacknowledged if the broker allows more.
const inFlight = 100

// newClient makes the MQTT client of this gateway.
func (g *Gateway) newClient(subscriptions []link.Subscription) (*mqtt.Client, error) {
	m := g.Config.MQTT
	g.files = &credential.Watch{MQTT: m, Now: g.clock.ForTLS, Reconnect: func() { link.Reconnect(g.client, g.Log) }, Outdated: systemd.ChangedCredentials, Log: g.peers}
	return mqtt.New(mqtt.Config{
		URLs: m.URLs, ClientID: m.ClientID, KeepAlive: m.KeepAlive, SessionExpiry: cmp.Or(m.SessionExpiry, mqtt.NoSession), MaxInFlight: inFlight,
		Backoff: mqtt.Backoff{Max: m.ReconnectMax}, PublishRate: m.PublishRate, BytesRate: int(m.BytesRate), FiltersMax: g.Config.Platform().FiltersMax,
		Dial: g.transport.Dial, OutboundTopicAliases: topicAliases,
		Credentials: g.credentials, TLS: g.files.TLS, Will: g.will, Session: link.Session{Store: g.store, Closed: buffer.ErrClosed, Client: m.ClientID, Log: g.peers},
		Subscriptions: link.ForClient(subscriptions),
		Handler:       g.receive, OnEvent: g.linkChanged, Log: g.peers,
	})
}

// receive takes in what the cloud sends; the PUBACK follows when it returns nil.
func (g *Gateway) receive(ctx context.Context, m *mqtt.Message) error {
	if g.leaving.Load() { // no PUBACK: the broker delivers it to the next start; and our good-bye is not answered
		<-ctx.Done()
		return ctx.Err()
	}
	if m.Topic != g.topics.Status() {
		defer g.rhythm.Arrived()
	}
	if m.Topic == g.topics.Status() {
		if id, ok := g.presence.Twin(m.Payload); ok {
			g.peers.Warn("P/status says that another gateway has the same id", "id", g.Config.Gateway.ID, "other", id)
			g.link.Twin(id)
			g.house.Wake()
		}
		if !m.Retain && g.presence.Overwritten(m.Payload) { // what was there at connecting is overwritten by our birth
			g.uplink.Repeat(g.topics.Status())
		}
		return nil
	}
	if g.announce.Birth(m.Topic, m.Payload) {
		return nil
	}
	_, err := g.dialect.Receive(ctx, m)
	return err
}

// linkChanged follows the connection.
func (g *Gateway) linkChanged(e mqtt.Event) {
	g.link.Event(e)
	continues := g.rhythm.Event(e)
	switch e.Kind {
	case mqtt.Connected:
		n := e.Negotiated
		g.uplink.Set(g.topics.Status(), g.presence.Document(contract.Online), nil)
		g.uplink.Repeat(g.topics.Status())
		g.uplink.SetLink(uplink.Link{Up: true, Broker: e.URL, Continues: continues, Fresh: !n.SessionPresent, NoRetain: !n.RetainAvailable,
			Window: min(inFlight, int(n.ReceiveMaximum)), MaxPacket: int(n.MaximumPacketSize)})
		g.dialect.Connected(true)
	case mqtt.Disconnected:
		g.uplink.SetLink(uplink.Link{})
		g.dialect.Connected(false)
	default:
		return
	}
	state, _ := g.link.Snapshot()
	g.page.Link(state)
	g.house.Wake()
}

// disconnect says good-bye.
func (g *Gateway) disconnect(restarting bool) {
	link.Goodbye{Client: g.client, Uplink: g.uplink, Losses: g.journal.AllLosses, Topic: g.topics.Status(), Offline: g.presence.Document(contract.Offline), Log: g.Log}.Say(restarting)
}

func (g *Gateway) will() *mqtt.Will {
	return &mqtt.Will{Delay: max(credential.WillDelay(g.Config.MQTT), config.WillDelay(g.Config.MQTT.Online)),
		Message: mqtt.Message{Topic: g.topics.Status(), Payload: g.presence.Document(contract.Lost), QoS: mqtt.AtLeastOnce, Retain: true, ContentType: "application/json"}}
}

func (g *Gateway) credentials(ctx context.Context) (mqtt.Credentials, error) {
	password, expires, err := g.files.Password(ctx)
	return mqtt.Credentials{Username: g.Config.MQTT.Username, Password: password, Expires: expires}, err
}

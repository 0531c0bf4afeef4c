package mqtt

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// withMethod are the properties of a packet of an authentication with method "m".
func withMethod(data string) packet.Properties {
	return puts(func(p *packet.Properties) { p.AuthenticationMethod, p.AuthenticationData = "m", []byte(data) },
		packet.PropAuthenticationMethod, packet.PropAuthenticationData)
}

// TestAuthenticationAtConnecting checks that nothing but AUTH comes between CONNECT and CONNACK,
// whatever waits, with which code and method, and with nothing that a packet could become too large
// by.
//
// [MQTT-3.1.2-30] [MQTT-3.15.2-1] [MQTT-3.15.2-2] [MQTT-3.15.2-3] [MQTT-4.12.0-3] [MQTT-4.12.0-5]
func TestAuthenticationAtConnecting(t *testing.T) {
	use := func(c *Config) {
		c.Authenticator = echoAuthenticator{}
		c.Subscriptions = []Subscription{{Filter: "a"}}
		c.ConnectTimeout = time.Hour
	}
	conformance(t, use, func(t *testing.T, k *tester, next func() *peer) {
		var o outcomes
		k.send(t, &o, Message{Topic: "waits"})
		p := next()
		if c := p.packet(t).(*packet.Connect); c.Properties.AuthenticationMethod != "m" {
			t.Errorf("%+v", c.Properties)
		}
		for range 2 {
			p.send(&packet.Auth{Code: packet.ContinueAuthentication, Properties: withMethod("challenge")})
			a, ok := p.packet(t).(*packet.Auth)
			if !ok || a.Code != packet.ContinueAuthentication || a.Properties.AuthenticationMethod != "m" || string(a.Properties.AuthenticationData) != "challenge" ||
				a.Properties.Present != packet.Props(packet.PropAuthenticationMethod, packet.PropAuthenticationData) {
				t.Errorf("%+v", a)
			}
			time.Sleep(10 * time.Second)
			wantList(t, "before CONNACK", p.sent(t))
		}
		p.send(&packet.Connack{Properties: withMethod("done")})
		wantList(t, "after CONNACK", p.sent(t), "SUBSCRIBE 1", "PUBLISH waits")
	})
}

// TestAuthenticationRefused checks that a refusal may come at any stage.
//
// [MQTT-4.12.0-4]
func TestAuthenticationRefused(t *testing.T) {
	conformance(t, func(c *Config) { c.Authenticator = echoAuthenticator{} }, func(t *testing.T, k *tester, next func() *peer) {
		p := next()
		p.packet(t)
		p.send(&packet.Auth{Code: packet.ContinueAuthentication, Properties: withMethod("challenge")})
		p.send(&packet.Connack{Code: packet.NotAuthorized})
		wantList(t, "sent", p.sent(t), "AUTH 0x18", "end")
		if e := k.await(t, Disconnected); reasonCode(e.Err) != packet.NotAuthorized {
			t.Error(e.Err)
		}
	})
}

// TestReauthentication checks the packets of a re-authentication, that messages go on during it,
// and that its failure ends the connection from either side.
//
// [MQTT-4.12.0-5] [MQTT-4.12.1-1] [MQTT-4.12.1-2]
func TestReauthentication(t *testing.T) {
	conformance(t, func(c *Config) { c.Authenticator = echoAuthenticator{} }, func(t *testing.T, k *tester, next func() *peer) {
		result := make(chan error, 1)
		begin := func(p *peer) {
			t.Helper()
			go func() { result <- k.Reauthenticate(t.Context()) }()
			a, ok := p.packet(t).(*packet.Auth)
			if !ok || a.Code != packet.Reauthenticate || a.Properties.AuthenticationMethod != "m" {
				t.Errorf("%+v", a)
			}
		}
		p := next()
		p.accept(t, false, withMethod(""))
		k.await(t, Connected)
		begin(p)
		var o outcomes
		k.send(t, &o, Message{Topic: "meanwhile"})
		p.send(&packet.Auth{Code: packet.ContinueAuthentication, Properties: withMethod("challenge")})
		wantList(t, "sent", p.sent(t), "PUBLISH meanwhile", "AUTH 0x18")
		p.send(&packet.Auth{Code: packet.Success, Properties: withMethod("")})
		if err := <-result; err != nil {
			t.Error(err)
		}
		wantList(t, "afterwards", p.sent(t))

		begin(p)
		p.send(&packet.Disconnect{Code: packet.NotAuthorized}) // the broker refuses
		if err := <-result; reasonCode(err) != packet.NotAuthorized {
			t.Error(err)
		}
		wantList(t, "refused", p.sent(t), "end")
		k.await(t, Disconnected)

		p = next()
		p.accept(t, true, withMethod(""))
		k.await(t, Connected)
		begin(p)
		other := withMethod("")
		other.AuthenticationMethod = "other"
		p.send(&packet.Auth{Code: packet.Success, Properties: other})
		if err := <-result; err == nil {
			t.Error("no error")
		}
		wantList(t, "left", p.sent(t), "DISCONNECT 0x82", "end")
	})
}

// TestNoAuthentication checks that a client without a method sends no AUTH, and leaves a broker
// that does.
//
// [MQTT-4.12.0-6] [MQTT-4.12.0-7]
func TestNoAuthentication(t *testing.T) {
	conformance(t, nil, func(t *testing.T, k *tester, next func() *peer) {
		p := next()
		if c := p.accept(t, false, packet.Properties{}); c.Properties.Present.Has(packet.PropAuthenticationMethod) {
			t.Errorf("%+v", c.Properties)
		}
		k.await(t, Connected)
		if err := k.Reauthenticate(t.Context()); err == nil {
			t.Error("no error")
		}
		synctest.Wait()
		wantList(t, "sent", p.sent(t))
		p.send(&packet.Auth{Code: packet.ContinueAuthentication, Properties: withMethod("challenge")})
		wantList(t, "sent", p.sent(t), "DISCONNECT 0x82", "end")
	})
}

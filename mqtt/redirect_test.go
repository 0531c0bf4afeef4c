package mqtt

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// TestServerReference checks what a reference means to a client that is connected to a URL.
func TestServerReference(t *testing.T) {
	for _, v := range []struct{ from, reference, want string }{
		{"mqtt://a:1883", "b", "mqtt://b"},
		{"mqtt://a:1883", "b:1884", "mqtt://b:1884"},
		{"mqtts://a", "[fe80::9610:3eff:fe1c]:1883", "mqtts://[fe80::9610:3eff:fe1c]:1883"},
		{"wss://a/mqtt", "b", "wss://b/mqtt"},
		{"mqtt://a", "mqtts://b", "mqtts://b"},
		{"mqtts://a", "wss://b/x", "wss://b/x"},
		{"mqtts://a", "mqtt://b", ""},
		{"wss://a", "ws://b", ""},
		{"mqtt://a", "unix:///run/b", ""},
		{"mqtt://a", "http://b", ""},
		{"mqtt://a", "mqtt://", ""},
		{"mqtt://a", "b:x", ""},
		{"mqtt://a", "mqtt://user:secret@b", "mqtt://b"},
	} {
		from, err := url.Parse(v.from)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if to := referenced(from, v.reference); to != nil {
			got = to.String()
		}
		if got != v.want {
			t.Errorf("%s from %s: %q, want %q", v.reference, v.from, got, v.want)
		}
	}
}

// redirecting returns a broker that refers to server with code.
func redirecting(code packet.ReasonCode, server string) *mqtttest.Broker {
	return mqtttest.New(mqtttest.Behavior{Refuse: code, Properties: packet.Properties{
		Present: packet.Props(packet.PropServerReference), ServerReference: server,
	}})
}

// A network dials brokers by the host names of their URLs.
type network map[string]*mqtttest.Broker

func (n network) dial(ctx context.Context, u *url.URL, c *tls.Config) (net.Conn, error) {
	return n[u.Hostname()].Dial(ctx, u, c)
}

func (n network) close() {
	for _, b := range n {
		b.Close()
	}
}

func anyServer(_, _ *url.URL) bool { return true }

// attempts returns the hosts of the next attempts.
func (k *tester) attempts(t testing.TB, n int) (hosts []string) {
	for range n {
		u, err := url.Parse(k.await(t, Connecting).URL)
		if err != nil {
			t.Fatal(err)
		}
		hosts = append(hosts, u.Hostname())
	}
	return hosts
}

func TestRedirection(t *testing.T) {
	for _, v := range []struct {
		name     string
		code     packet.ReasonCode
		to       string
		redirect func(_, _ *url.URL) bool
		want     []string // attempts, where each connection to good is cut
	}{
		{"temporary", packet.UseAnotherServer, "good", anyServer, []string{"a", "good", "a", "good", "a"}},
		{"permanent", packet.ServerMoved, "good", anyServer, []string{"a", "good", "good", "good", "good"}},
		{"off", packet.ServerMoved, "good", nil, []string{"a", "b", "a", "b", "a"}},
		{"not allowed", packet.UseAnotherServer, "good", func(from, to *url.URL) bool { return to.Hostname() != "good" }, []string{"a", "b", "a", "b", "a"}},
		{"second reference allowed", packet.ServerMoved, "bad good", func(_, to *url.URL) bool { return to.Hostname() == "good" }, []string{"a", "good", "good"}},
		{"no reference", packet.UseAnotherServer, "", anyServer, []string{"a", "b", "a"}},
	} {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := network{"a": redirecting(v.code, v.to), "b": mqtttest.New(mqtttest.Behavior{Refuse: packet.ServerUnavailable}), "good": mqtttest.New(mqtttest.Behavior{})}
				defer n.close()
				k := start(t, Config{URLs: []string{"mqtt://a", "mqtt://b"}, ClientID: "c", Dial: n.dial, Redirect: v.redirect, Backoff: Backoff{Min: time.Minute}})
				var got []string
				for len(got) < len(v.want) {
					got = append(got, k.attempts(t, 1)...)
					synctest.Wait()
					if k.Stats().Connected {
						time.Sleep(time.Minute)
						n["good"].Cut()
					}
				}
				wantList(t, "attempts", got, v.want...)
				k.close(t, false)
			})
		})
	}
}

// TestRedirectionEndless checks that brokers that pass the client round cost it the usual delays in
// the end.
func TestRedirectionEndless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := network{"a": redirecting(packet.UseAnotherServer, "b"), "b": redirecting(packet.ServerMoved, "a")}
		defer n.close()
		k := start(t, Config{URLs: []string{"mqtt://a"}, ClientID: "c", Dial: n.dial, Redirect: anyServer})
		begin := time.Now()
		wantList(t, "attempts", k.attempts(t, 4), "a", "b", "a", "b")
		if d := time.Since(begin); d != 0 {
			t.Errorf("the first took %v", d)
		}
		k.attempts(t, 30)
		if d := time.Since(begin); d < 5*time.Minute {
			t.Errorf("34 attempts in %v", d)
		}
		k.close(t, false)
	})
}

// TestRedirectionForLong checks that a client that is passed on from time to time follows each
// time.
func TestRedirectionForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := network{"a": redirecting(packet.UseAnotherServer, "b"), "b": mqtttest.New(mqtttest.Behavior{})}
		defer n.close()
		k := start(t, Config{URLs: []string{"mqtt://a"}, ClientID: "c", Dial: n.dial, Redirect: anyServer})
		for i := range 3 * maxRedirects {
			if e := k.await(t, Connected); e.URL != "mqtt://b" {
				t.Errorf("connection %d to %s", i, e.URL)
			}
			time.Sleep(time.Minute)
			n["b"].Cut()
			k.await(t, Disconnected)
			if e := k.await(t, Disconnected); e.URL != "mqtt://a" || e.Retry != 0 {
				t.Errorf("attempt %d: %+v", i, e)
			}
		}
		k.close(t, false)
	})
}

// TestRedirectionByDisconnect follows a broker that sends the client away later, and does not do so
// in a tight loop.
func TestRedirectionByDisconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := network{"a": mqtttest.New(mqtttest.Behavior{}), "b": mqtttest.New(mqtttest.Behavior{})}
		defer n.close()
		k := start(t, Config{URLs: []string{"mqtt://a"}, ClientID: "c", Dial: n.dial, Redirect: anyServer})
		var hosts []string
		var waits []time.Duration
		for range 8 {
			k.await(t, Connected)
			for host, to := range map[string]string{"a": "b", "b": "a"} {
				n[host].DisconnectWith(packet.Disconnect{Code: packet.ServerMoved, Properties: packet.Properties{
					Present: packet.Props(packet.PropServerReference), ServerReference: to,
				}})
			}
			e := k.await(t, Disconnected)
			hosts = append(hosts, e.URL)
			waits = append(waits, e.Retry)
		}
		wantList(t, "connections", hosts[:4], "mqtt://a", "mqtt://b", "mqtt://a", "mqtt://b")
		if slices.Max(waits[:3]) != 0 || slices.Max(waits[3:]) == 0 {
			t.Errorf("delays %v", waits)
		}
		k.close(t, false)
	})
}

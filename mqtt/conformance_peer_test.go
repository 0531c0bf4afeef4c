package mqtt

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// A peer is the other end of one connection of a client, played by a test byte for byte.
type peer struct {
	nc  net.Conn
	got chan []byte // whole packets, closed with the connection
}

// conformance runs a test of a client against peers, one for each connection, in a synctest bubble.
// use changes the configuration and may be nil.
func conformance(t *testing.T, use func(*Config), test func(t *testing.T, k *tester, next func() *peer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		peers := make(chan *peer, 100)
		cfg := Config{
			URLs: []string{"mqtt://peer"}, ClientID: "c",
			Dial: func(context.Context, *url.URL, *tls.Config) (net.Conn, error) {
				ours, theirs := net.Pipe()
				p := &peer{nc: ours, got: make(chan []byte, 10_000)}
				go p.read()
				peers <- p
				return theirs, nil
			},
		}
		if use != nil {
			use(&cfg)
		}
		k := start(t, cfg)
		test(t, k, func() *peer { return <-peers })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_ = k.Close(ctx, Disconnect{}) // no time for those who do not answer
		<-k.ended
		for len(peers) > 0 {
			(<-peers).nc.Close()
		}
	})
}

func (p *peer) read() {
	defer close(p.got)
	for {
		b, err := readWhole(p.nc)
		if err != nil {
			return
		}
		p.got <- b
	}
}

// packet returns the next packet, nil at the end of the connection.
func (p *peer) packet(t *testing.T) packet.Packet {
	t.Helper()
	b, ok := <-p.got
	if !ok {
		return nil
	}
	return decoded(t, b)
}

func decoded(t *testing.T, b []byte) packet.Packet {
	t.Helper()
	h, size, err := packet.DecodeHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	q, err := packet.Decode(h, b[size:])
	if err != nil {
		t.Fatalf("% x: %v", b, err)
	}
	return q
}

// send sends a packet when the client has nothing more to do, and waits until it has handled it.
// The client may have left.
func (p *peer) send(q packet.Packet) { p.raw(q.Append(nil)) }

func (p *peer) raw(b []byte) {
	synctest.Wait()
	_, _ = p.nc.Write(b)
	synctest.Wait()
}

// accept answers the CONNECT, which it returns, with success.
func (p *peer) accept(t *testing.T, present bool, q packet.Properties) *packet.Connect {
	t.Helper()
	c, ok := p.packet(t).(*packet.Connect)
	if !ok {
		t.Fatal("the first packet is no CONNECT") // [MQTT-3.1.0-1]
	}
	p.send(&packet.Connack{SessionPresent: present, Properties: q})
	return c
}

// sent returns what the client has sent and nobody has looked at, in short: the type, the
// identifier, + for DUP, the topic, and the reason code if it is not 0.
func (p *peer) sent(t *testing.T) (list []string) {
	t.Helper()
	synctest.Wait()
	for {
		select {
		case b, ok := <-p.got:
			if !ok {
				return append(list, "end")
			}
			list = append(list, brief(decoded(t, b)))
		default:
			return list
		}
	}
}

func brief(q packet.Packet) string {
	var s []string
	add := func(format string, args ...any) { s = append(s, fmt.Sprintf(format, args...)) }
	code := packet.ReasonCode(0)
	switch q := q.(type) {
	case *packet.Connect:
		add("CONNECT")
	case *packet.Publish:
		add("PUBLISH")
		if q.QoS > 0 {
			add("%d", q.ID)
		}
		if q.Dup {
			s[len(s)-1] += "+"
		}
		if q.Topic != "" {
			add("%s", q.Topic)
		}
		if q.Properties.Present.Has(packet.PropTopicAlias) {
			add("alias %d", q.Properties.TopicAlias)
		}
	case *packet.PublishAck:
		add("%v %d", q.Type, q.ID)
		code = q.Code
	case *packet.Subscribe:
		add("SUBSCRIBE %d", q.ID)
	case *packet.Unsubscribe:
		add("UNSUBSCRIBE %d", q.ID)
	case *packet.Ping:
		add("%v", q.Type)
	case *packet.Disconnect:
		add("DISCONNECT")
		code = q.Code
	case *packet.Auth:
		add("AUTH")
		code = q.Code
	}
	if code != 0 {
		add("0x%02X", byte(code))
	}
	return strings.Join(s, " ")
}

// puts returns the properties with those of set.
func puts(set func(*packet.Properties), ids ...packet.PropertyID) packet.Properties {
	p := packet.Properties{Present: packet.Props(ids...)}
	set(&p)
	return p
}

func receiveMaximum(n uint16) packet.Properties {
	return puts(func(p *packet.Properties) { p.ReceiveMaximum = n }, packet.PropReceiveMaximum)
}

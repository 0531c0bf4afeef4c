package mqtt

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/url"
	"testing"

	"crypto/tls"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// ackAll is a peer that accepts everything and does nothing but acknowledge: what one read brought
// with one write. Its costs are as small as they can be, so that a benchmark measures the client.
func ackAll(nc net.Conn, receiveMaximum uint16) {
	defer nc.Close()
	buf := make([]byte, 256<<10)
	var out []byte
	filled := 0
	for {
		n, err := nc.Read(buf[filled:])
		if err != nil {
			return
		}
		filled += n
		b := buf[:filled]
		out = out[:0]
		for {
			h, size, _ := packet.DecodeHeader(b)
			if size == 0 || len(b) < size+h.Length {
				break
			}
			body := b[size : size+h.Length]
			b = b[size+h.Length:]
			switch h.Type {
			case packet.CONNECT:
				a := packet.Connack{}
				a.Properties.ReceiveMaximum = receiveMaximum
				a.Properties.Present = packet.Props(packet.PropReceiveMaximum)
				out = a.Append(out)
			case packet.PUBLISH:
				if h.Flags&6 == 2 {
					id := body[2+binary.BigEndian.Uint16(body):]
					out = append(out, byte(packet.PUBACK)<<4, 2, id[0], id[1])
				}
			}
		}
		filled = copy(buf, b)
		if _, err := nc.Write(out); err != nil {
			return
		}
	}
}

// dialAcker returns a Config.Dial to such a peer over loopback TCP.
func dialAcker(b *testing.B, receiveMaximum uint16) func(context.Context, *url.URL, *tls.Config) (net.Conn, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go ackAll(nc, receiveMaximum)
		}
	}()
	return func(ctx context.Context, _ *url.URL, _ *tls.Config) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
	}
}

// BenchmarkSend measures QoS 1 messages of 256 bytes from Send to done.
func BenchmarkSend(b *testing.B) {
	for _, window := range []uint16{20, 1000} {
		b.Run(fmt.Sprintf("acker/window=%d", window), func(b *testing.B) {
			benchmarkSend(b, Config{URLs: []string{"mqtt://peer"}, ClientID: "bench", Dial: dialAcker(b, window)})
		})
	}
	b.Run("mosquitto/window=20", func(b *testing.B) {
		benchmarkSend(b, Config{URLs: []string{tcpMosquitto(b, "max_queued_messages 0\n")}, ClientID: "bench"})
	})
	b.Run("mosquitto/window=20/aliases", func(b *testing.B) {
		benchmarkSend(b, Config{URLs: []string{tcpMosquitto(b, "max_queued_messages 0\n")}, ClientID: "bench", OutboundTopicAliases: 10})
	})
}

func benchmarkSend(b *testing.B, cfg Config) {
	k := start(b, cfg)
	k.await(b, Connected)
	room := make(chan struct{}, 4000)
	failed := make(chan error, 1)
	done := func(_ PublishResult, err error) {
		if err != nil {
			select {
			case failed <- err:
			default:
			}
		}
		<-room
	}
	m := &Message{Topic: "fieldgate/bench/telemetry/sensor", Payload: make([]byte, 256), QoS: AtLeastOnce}
	before := k.Stats()
	b.ReportAllocs()
	for b.Loop() {
		room <- struct{}{}
		if err := k.Send(m, done); err != nil {
			b.Fatal(err)
		}
	}
	for range cap(room) {
		room <- struct{}{}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
	b.ReportMetric(float64(k.Stats().Writes-before.Writes)/float64(b.N), "writes/op")
	select {
	case err := <-failed:
		b.Fatal(err)
	default:
	}
	for range cap(room) {
		<-room
	}
}

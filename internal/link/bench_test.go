package link

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/compress"
	"github.com/fieldgate/fieldgate/internal/payload"
	"github.com/fieldgate/fieldgate/internal/payload/formats"
	"github.com/fieldgate/fieldgate/internal/reading"
	"github.com/fieldgate/fieldgate/internal/uplink"
	"github.com/fieldgate/fieldgate/mqtt"
	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// climate returns n readings of a sensor of temperature, humidity and pressure, ten seconds apart,
// with the noise of a real one in the last digits.
func climate(rng *rand.Rand, first, n int) payload.Batch {
	b := payload.Batch{Gateway: "plant7-gw1", Run: "3f9c61a2b07d", Sensor: "hall-climate"}
	begin := time.Date(2026, 11, 20, 15, 4, 5, 123_000_000, time.UTC)
	for i := first; i < first+n; i++ {
		body := reading.Append(nil, []drivers.Value{
			drivers.Float("temperature", float64(2150+rng.IntN(9))/100), drivers.Float("humidity", float64(4820+rng.IntN(30))/100),
			drivers.Float("pressure", float64(10132500+rng.IntN(900))/100)})
		b.Readings = append(b.Readings, payload.Reading{Seq: uint64(i + 1), Time: begin.Add(time.Duration(i) * 10 * time.Second), Body: body})
	}
	return b
}

// BenchmarkWire is the bytes of a reading of three values at the socket, MQTT's headers, topic
// alias and user property included, TLS and TCP not: live and in batches, by format and
// compression. One run; -benchtime has no say.
func BenchmarkWire(b *testing.B) {
	for _, format := range formats.Table() {
		for _, word := range config.Compressions {
			for _, batch := range []int{1, 10, 100, 500} {
				encoder := format.New()
				if most := encoder.BatchMax(); most > 0 && batch > most {
					continue
				}
				b.Run(fmt.Sprintf("%s/%s/batch=%d", format.Name, word.Name, batch), func(b *testing.B) {
					c, err := compress.New(word.Name)
					if err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(onTheWire(b, encoder, c, batch), "B/reading")
					b.ReportMetric(0, "ns/op")
				})
			}
		}
	}
}

// counted counts what is written before it is.
type counted struct {
	net.Conn
	written *atomic.Uint64
}

func (c *counted) Write(p []byte) (int, error) { c.written.Add(uint64(len(p))); return c.Conn.Write(p) }

// onTheWire sends messages and returns what a reading of them takes.
func onTheWire(b *testing.B, encoder payload.Encoder, c compress.Compressor, batch int) float64 {
	broker := mqtttest.New(mqtttest.Behavior{Properties: packet.Properties{Present: packet.Props(packet.PropTopicAliasMaximum), TopicAliasMaximum: 10}})
	defer broker.Close()
	connected := make(chan bool, 1)
	var written atomic.Uint64
	dial := func(ctx context.Context, u *url.URL, t *tls.Config) (net.Conn, error) {
		nc, err := broker.Dial(ctx, u, t)
		return &counted{nc, &written}, err
	}
	client, err := mqtt.New(mqtt.Config{URLs: []string{"mqtt://b"}, ClientID: "gw", Dial: dial, OutboundTopicAliases: 10, OnEvent: func(e mqtt.Event) {
		if e.Kind == mqtt.Connected {
			connected <- true
		}
	}})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- client.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	<-connected
	rng := rand.New(rand.NewPCG(1, 2))
	const messages = 20
	var before uint64
	for i := range messages + 1 {
		batched := climate(rng, i*batch, batch)
		text, err := encoder.Append(nil, &batched)
		if err != nil {
			b.Fatal(err)
		}
		m := uplink.Message{Topic: "fieldgate/plant7-gw1/telemetry/hall-climate", Payload: text, ContentType: encoder.ContentType()}
		if c != nil {
			if small := c.Append(nil, text); len(small)+24 < len(text) {
				m.Payload, m.Encoding = small, c.Encoding()
			}
		}
		done := make(chan error, 1)
		if err := (Sender{client}).Send(m, func(_ byte, err error) { done <- err }); err != nil {
			b.Fatal(err)
		}
		if err := <-done; err != nil {
			b.Fatal(err)
		}
		if i == 0 { // the first one has the topic
			before = written.Load()
		}
	}
	return float64(written.Load()-before) / messages / float64(batch)
}

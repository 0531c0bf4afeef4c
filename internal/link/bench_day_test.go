package link

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	randv2 "math/rand/v2"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/compress"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/payload/formats"
	payloadjson "github.com/fieldgate/fieldgate/internal/payload/json"
	"github.com/fieldgate/fieldgate/internal/uplink"
	"github.com/fieldgate/fieldgate/mqtt"
	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// A record of TLS 1.3 has 22 bytes besides what it carries: header, content type and tag (RFC 8446,
// 5.2).
const recordCost = 22

// A meteredConn counts bytes and, as a record each, reads and writes.
type meteredConn struct {
	net.Conn
	bytes, records *atomic.Uint64
}

func (c meteredConn) Write(p []byte) (int, error) {
	c.bytes.Add(uint64(len(p)))
	c.records.Add(1)
	return c.Conn.Write(p)
}

func (c meteredConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.bytes.Add(uint64(n))
	c.records.Add(1)
	return n, err
}

// BenchmarkDay is what a gateway with ten sensors of three values, one reading a minute each, sends
// and receives in a day, by kind of message: with the defaults and with line = "metered". A day
// passes in a bubble; of TLS the records are counted, and a handshake is measured. One run;
// -benchtime has no say.
func BenchmarkDay(b *testing.B) {
	total := map[string]float64{}
	for _, line := range []string{"", "line = \"metered\"\n"} {
		name := map[bool]string{true: "defaults", false: "metered"}[line == ""]
		b.Run(name, func(b *testing.B) {
			c, err := config.Parse([]config.Source{{Name: "f.toml", Text: "[gateway]\nid = \"plant7-gw1\"\n[mqtt]\nurls = [\"mqtts://b\"]\n" + line}},
				config.Catalogue{Formats: formats.Words()})
			if err != nil {
				b.Fatal(err)
			}
			day := map[string]float64{}
			runDay(b, c, day)
			day["TLS-handshake"] = handshake(b)
			for kind, n := range day {
				b.ReportMetric(n, kind+"-B/day")
				total[name] += n
			}
			b.ReportMetric(total[name], "all-B/day")
			b.ReportMetric(0, "ns/op")
		})
	}
	if n := total["metered"]; n > 0 {
		b.Logf("metered is 1/%.1f of the defaults", total["defaults"]/n)
	}
}

// runDay lets a day pass.
func runDay(b *testing.B, c *config.Config, day map[string]float64) {
	dir := b.TempDir()
	t := new(testing.T)
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		up := func() time.Duration { return time.Since(began) + time.Hour }
		store, err := buffer.Open(t.Context(), filepath.Join(dir, "q.db"), buffer.Options{MaxLoss: time.Hour, KernelBoot: "k", Up: up})
		if err != nil {
			b.Error(err)
			return
		}
		broker := mqtttest.New(mqtttest.Behavior{Properties: packet.Properties{Present: packet.Props(packet.PropTopicAliasMaximum), TopicAliasMaximum: 32}})
		defer broker.Close()
		var bytes, records atomic.Uint64
		var u *uplink.Uplink
		client, err := mqtt.New(mqtt.Config{URLs: []string{"mqtt://b"}, ClientID: "gw", KeepAlive: c.MQTT.KeepAlive, MaxInFlight: 100, OutboundTopicAliases: 32,
			Dial: func(ctx context.Context, to *url.URL, cfg *tls.Config) (net.Conn, error) {
				nc, err := broker.Dial(ctx, to, cfg)
				return meteredConn{nc, &bytes, &records}, err
			},
			OnEvent: func(e mqtt.Event) { u.SetLink(uplink.Link{Up: e.Kind == mqtt.Connected, Window: 100, Fresh: true}) }})
		if err != nil {
			b.Error(err)
			return
		}
		compressor, err := compress.New(c.Telemetry.Compress)
		if err != nil {
			b.Error(err)
			return
		}
		topics := contract.NewTopics("fieldgate", c.Gateway.ID)
		u = uplink.New(uplink.Config{Gateway: c.Gateway.ID, Topics: topics, Encoder: formats.New(c.Telemetry.Format), JSON: new(payloadjson.Encoder),
			BatchMax: c.Telemetry.BatchMax, Compressor: compressor, Linger: func(string) time.Duration { return c.Telemetry.Linger },
			Last: func(string) bool { return c.Telemetry.Last }, Alarm: func(contract.AlarmEvent) {}, Queue: store, Client: Sender{client}, Clock: wall{},
			Log: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 2)
		go func() { ended <- client.Run(ctx) }()
		go func() { ended <- u.Run(ctx) }()
		synctest.Wait()
		rng := randv2.New(randv2.NewPCG(1, 2))
		for minute := range 24 * 60 {
			for s := range 10 {
				batch := climate(rng, minute, 1)
				if _, err := store.Append(t.Context(), buffer.Readings, fmt.Sprint("hall-climate-", s), up(), batch.Readings[0].Body); err != nil {
					b.Error(err)
				}
			}
			if minute%int(c.Gateway.HealthEvery/time.Minute) == 0 {
				u.Set(topics.Health(), health(minute), nil)
			}
			time.Sleep(time.Minute)
		}
		time.Sleep(20 * time.Minute) // what lingers
		synctest.Wait()
		published := 0.0
		for _, p := range broker.Published() {
			levels := strings.Split(strings.TrimPrefix(p.Topic, "fieldgate/"+c.Gateway.ID+"/"), "/")
			q := p.Publish
			if p.Aliased {
				q.Topic = ""
			}
			day[levels[0]] += float64(q.Size())
			published += float64(q.Size())
		}
		day["acks-pings-connect"] = float64(bytes.Load()) - published
		day["TLS-records"] = float64(records.Load() * recordCost)
		cancel()
		<-ended
		<-ended
		u.Settle(t.Context())
		if err := store.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
}

// health is P/health as a gateway with ten sensors has it.
func health(minute int) []byte {
	h := contract.Health{V: 1, TS: contract.Time{Time: time.Unix(1_795_000_000+int64(minute)*60, 0)}, Up: float64(minute) * 60.123, Run: "3f9c61a2b07d", Store: "bc303c37", Boot: 12,
		Version: "v1.0.0", State: "ok", ClockSync: true, Sensors: map[string]contract.SensorHealth{},
		Queue: contract.QueueHealth{Live: 10, InFlight: 3, Bytes: 1 << 20, MaxBytes: 256 << 20, RateIn: 0.1667, RateOut: 0.1667, Appended: uint64(minute) * 10, Delivered: uint64(minute) * 10},
		Link:  contract.LinkHealth{Connected: true, Since: 12.5, BytesUp: uint64(minute) * 500, BytesDown: uint64(minute) * 50},
		Flash: contract.FlashHealth{Bytes: 500_000, Commits: 20, BytesPerDay: 1000}}
	for s := range 10 {
		h.Sensors[fmt.Sprint("hall-climate-", s)] = contract.SensorHealth{State: "ok", Since: 3.2, Reads: uint64(minute)}
	}
	text, _ := json.Marshal(h) // strings and numbers
	return text
}

// handshake returns the bytes of a TLS 1.3 handshake with a server certificate of its own, both
// ways.
func handshake(b *testing.B) float64 {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "broker.example.com"}, DNSNames: []string{"broker.example.com"},
		NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		b.Fatal(err)
	}
	roots := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		b.Fatal(err)
	}
	roots.AddCert(leaf)
	near, far := net.Pipe()
	defer near.Close()
	go func() {
		server := tls.Server(far, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
		_ = server.Handshake()
		_, _ = server.Write([]byte("x"))
	}()
	var bytes, records atomic.Uint64
	client := tls.Client(meteredConn{near, &bytes, &records}, &tls.Config{RootCAs: roots, ServerName: "broker.example.com"})
	if _, err := client.Read(make([]byte, 1)); err != nil {
		b.Fatal(err)
	}
	return float64(bytes.Load())
}

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fieldgate/fieldgate/mqtt"
)

// A row is what was measured with so many gateways.
type row struct {
	gateways       int
	connect        time.Duration // until all were connected
	acked, wanted  float64       // messages a second
	slowest        time.Duration // from sending to acknowledgement
	bytesUp        float64       // bytes a second, of all of them
	clientMemory   int64         // bytes more than with no gateway
	brokerMemory   int64         // the same; 0: not known
	clientCPU      float64       // of a core
	brokerCPU      float64
	archived       float64 // messages a second that the subscriber got
	failed         uint64
	disconnections uint64
}

const connectMax = 2 * time.Minute

// measure runs n gateways for a while.
func measure(ctx context.Context, broker string, pid, n int, rate float64, last bool, span time.Duration) (r row, err error) {
	ctx, cancel := context.WithCancel(ctx)
	before, err := usageOf(pid)
	if err != nil {
		cancel()
		return r, err
	}
	own, err := usageOf(self)
	if err != nil {
		cancel()
		return r, err
	}
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	var archived atomic.Uint64
	archive, err := newArchive(broker, &archived)
	if err != nil {
		return r, err
	}
	running.Go(func() { _ = archive.Run(ctx) })
	fleet := make([]*gateway, n)
	for i := range fleet {
		if fleet[i], err = newGateway(broker, i, n); err != nil {
			return r, err
		}
		running.Go(func() { _ = fleet[i].client.Run(ctx) })
	}
	begin := time.Now()
	for connected := 0; connected < n; {
		select {
		case <-ctx.Done():
			return r, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
		connected = 0
		for _, g := range fleet {
			if g.client.Stats().Connected {
				connected++
			}
		}
		if time.Since(begin) > connectMax {
			return r, fmt.Errorf("%d of %d gateways connected to %s within %s: does the broker, or this machine (ulimit -n), allow so many connections?", connected, n, broker, connectMax)
		}
	}
	r = row{gateways: n, connect: time.Since(begin), wanted: float64(n) * rate}
	if last {
		r.wanted *= 2
	}
	var slowest atomic.Int64
	for i, g := range fleet {
		running.Go(func() {
			g.send(ctx, rate, last, time.Duration(float64(i)/float64(n)*float64(time.Second)/rate), &slowest)
		})
	}
	settle := time.Duration(float64(time.Second)/rate) + 2*time.Second
	if err := sleep(ctx, settle); err != nil {
		return r, err
	}
	slowest.Store(0)
	started, mine, theirs, got := sum(fleet), own, before, archived.Load()
	if mine, err = usageOf(self); err == nil {
		theirs, err = usageOf(pid)
	}
	if err == nil {
		err = sleep(ctx, span)
	}
	if err != nil {
		return r, err
	}
	ended := sum(fleet)
	mineAfter, err := usageOf(self)
	theirsAfter, e := usageOf(pid)
	if err = errors.Join(err, e); err != nil {
		return r, err
	}
	seconds := span.Seconds()
	r.acked, r.bytesUp = float64(ended.Acked-started.Acked)/seconds, float64(ended.BytesOut-started.BytesOut)/seconds
	r.archived = float64(archived.Load()-got) / seconds
	r.failed, r.disconnections = ended.Failed+ended.Refused, ended.Reconnects
	r.slowest = time.Duration(slowest.Load())
	r.clientMemory, r.brokerMemory = mineAfter.memory-own.memory, theirsAfter.memory-before.memory
	r.clientCPU, r.brokerCPU = (mineAfter.cpu-mine.cpu).Seconds()/seconds, (theirsAfter.cpu-theirs.cpu).Seconds()/seconds
	return r, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// sum adds up what all clients did.
func sum(fleet []*gateway) (s mqtt.Stats) {
	for _, g := range fleet {
		one := g.client.Stats()
		s.Acked += one.Acked
		s.Failed += one.Failed
		s.Refused += one.Refused
		s.Reconnects += one.Reconnects
		s.BytesOut += one.BytesOut
	}
	return s
}

// newArchive returns a subscriber to the telemetry of all gateways that counts what it gets.
func newArchive(broker string, got *atomic.Uint64) (*mqtt.Client, error) {
	return mqtt.New(mqtt.Config{
		URLs: []string{broker}, ClientID: "fleet-archive", KeepAlive: time.Minute, ReceiveMaximum: 1000,
		Subscriptions: []mqtt.Subscription{{Filter: "fieldgate/+/telemetry/#", QoS: mqtt.AtLeastOnce}},
		Handler:       func(context.Context, *mqtt.Message) error { got.Add(1); return nil },
	})
}

// A gateway is a client with a name.
type gateway struct {
	topic  string
	id     string
	client *mqtt.Client
}

func newGateway(broker string, i, n int) (*gateway, error) {
	id := fmt.Sprintf("fleet-%05d", i)
	g := &gateway{topic: "fieldgate/" + id, id: id}
	status := func(state string) []byte {
		return fmt.Appendf(nil, `{"v":1,"state":%q,"since":"2026-01-01T00:00:00.000Z","run":"3f9c61a2b07d","store":"2fa733f3","boot":1,"version":"v0.1.0"}`, state)
	}
	var err error
	g.client, err = mqtt.New(mqtt.Config{
		URLs: []string{broker}, ClientID: id, KeepAlive: time.Minute, SessionExpiry: time.Hour,
		Will: func() *mqtt.Will {
			return &mqtt.Will{Message: mqtt.Message{Topic: g.topic + "/status", Payload: status("lost"), QoS: mqtt.AtLeastOnce, Retain: true}}
		},
		Subscriptions: []mqtt.Subscription{{Filter: g.topic + "/cmd/+", QoS: mqtt.AtLeastOnce}, {Filter: g.topic + "/shadow/desired", QoS: mqtt.AtLeastOnce}},
		Handler:       func(context.Context, *mqtt.Message) error { return nil },
	})
	if err != nil {
		return nil, err
	}
	return g, g.client.Send(&mqtt.Message{Topic: g.topic + "/status", Payload: status("online"), QoS: mqtt.AtLeastOnce, Retain: true}, func(mqtt.PublishResult, error) {})
}

// send sends readings, the first after a delay, until ctx ends.
func (g *gateway) send(ctx context.Context, rate float64, last bool, delay time.Duration, slowest *atomic.Int64) {
	if sleep(ctx, delay) != nil {
		return
	}
	ticker := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer ticker.Stop()
	for seq := 1; ; seq++ {
		payload := fmt.Appendf(nil, `{"v":1,"gateway":%q,"run":"3f9c61a2b07d","sensor":"climate","readings":[{"seq":%d,"ts":%q,"fields":{"temperature":21.54,"humidity":48.2,"pressure":101325}}]}`,
			g.id, seq, time.Now().UTC().Format("2006-01-02T15:04:05.000Z"))
		sent := time.Now()
		acked := func(mqtt.PublishResult, error) {
			for took := int64(time.Since(sent)); ; {
				if before := slowest.Load(); took <= before || slowest.CompareAndSwap(before, took) {
					return
				}
			}
		}
		_ = g.client.Send(&mqtt.Message{Topic: g.topic + "/telemetry/climate", Payload: payload, QoS: mqtt.AtLeastOnce, ContentType: "application/json"}, acked) // counted as failed
		if last {
			_ = g.client.Send(&mqtt.Message{Topic: g.topic + "/last/climate", Payload: payload, QoS: mqtt.AtLeastOnce, Retain: true}, acked)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

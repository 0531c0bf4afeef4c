package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"github.com/fieldgate/fieldgate/mqtt"
)

// warmUp is how long a publisher publishes before it is measured.
const warmUp = 50 * time.Millisecond

// publishOurs publishes through package mqtt: one goroutine sends until the queue is full and goes
// on when half of it is settled.
func publishOurs(ctx context.Context, t target, length time.Duration) (result, error) {
	const queue = 4096
	ctx, cancel := context.WithTimeout(ctx, length+time.Minute)
	defer cancel()
	connected := make(chan struct{}, 1)
	var failure atomic.Pointer[error]
	fail := func(err error) { failure.CompareAndSwap(nil, &err); cancel() }
	c, err := mqtt.New(mqtt.Config{
		URLs: []string{t.url.String()}, ClientID: "ours", SessionExpiry: mqtt.NoSession, MaxInFlight: t.window, MaxQueued: queue,
		TLS: func(context.Context) (*tls.Config, error) { return tlsConfig(t) },
		OnEvent: func(e mqtt.Event) {
			switch {
			case e.Kind == mqtt.Connected:
				connected <- struct{}{}
			case e.Kind == mqtt.Disconnected && e.Err != nil:
				fail(e.Err)
			}
		},
	})
	if err != nil {
		return result{}, err
	}
	var running sync.WaitGroup
	running.Go(func() { _ = c.Run(ctx) })
	defer running.Wait()
	defer cancel()
	select {
	case <-connected:
	case <-ctx.Done():
		return result{}, errors.Join(context.Cause(ctx), loadError(&failure))
	}

	var acked atomic.Int64
	sent := int64(0)
	room := make(chan struct{}, 1)
	done := func(_ mqtt.PublishResult, err error) {
		if err != nil && ctx.Err() == nil {
			fail(err)
		}
		if acked.Add(1)%(queue/2) == 0 {
			select {
			case room <- struct{}{}:
			default:
			}
		}
	}
	m := &mqtt.Message{Topic: topic, Payload: make([]byte, *payload), QoS: mqtt.AtLeastOnce}
	publishUntil := func(end time.Time) error {
		for {
			switch err := c.Send(m, done); err {
			case nil:
				sent++
				if sent%64 == 0 && time.Now().After(end) {
					return nil
				}
			case mqtt.ErrQueueFull:
				select {
				case <-room:
				case <-ctx.Done():
					return errors.Join(context.Cause(ctx), loadError(&failure))
				}
			default:
				return err
			}
		}
	}
	return measured(&acked, length, publishUntil)
}

func loadError(p *atomic.Pointer[error]) error {
	if err := p.Load(); err != nil {
		return *err
	}
	return nil
}

// measured lets publish warm up and then measures it.
func measured(acked *atomic.Int64, length time.Duration, publishUntil func(time.Time) error) (result, error) {
	if err := publishUntil(time.Now().Add(warmUp)); err != nil {
		return result{}, err
	}
	m, err := startMeter()
	if err != nil {
		return result{}, err
	}
	before := acked.Load()
	if err := publishUntil(time.Now().Add(length)); err != nil {
		return result{}, err
	}
	return m.result(acked.Load() - before)
}

// publishPaho publishes through paho.golang, whose Publish waits for the acknowledgement: from as
// many goroutines as the window has room for.
func publishPaho(ctx context.Context, t target, length time.Duration) (result, error) {
	nc, err := dial(ctx, t)
	if err != nil {
		return result{}, err
	}
	if t.roots != "" {
		nc = packets.NewThreadSafeConn(nc)
	}
	c := paho.NewClient(paho.ClientConfig{Conn: nc})
	if _, err := c.Connect(ctx, &paho.Connect{ClientID: "paho", KeepAlive: 60, CleanStart: true}); err != nil {
		return result{}, err
	}
	defer func() { _ = c.Disconnect(&paho.Disconnect{}) }()
	var acked atomic.Int64
	body := make([]byte, *payload)
	publishUntil := func(end time.Time) error {
		var publishing sync.WaitGroup
		var failure atomic.Pointer[error]
		for range t.window {
			publishing.Go(func() {
				for time.Now().Before(end) {
					if _, err := c.Publish(ctx, &paho.Publish{Topic: topic, Payload: body, QoS: 1}); err != nil {
						failure.CompareAndSwap(nil, &err)
						return
					}
					acked.Add(1)
				}
			})
		}
		publishing.Wait()
		return loadError(&failure)
	}
	return measured(&acked, length, publishUntil)
}

// dial connects for the publishers that do not dial themselves.
func dial(ctx context.Context, t target) (net.Conn, error) {
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", t.url.Host)
	if err != nil || t.roots == "" {
		return raw, err
	}
	cfg, err := tlsConfig(t)
	if err != nil {
		return nil, err
	}
	cfg.ServerName = t.url.Hostname()
	cfg.DynamicRecordSizingDisabled = true
	nc := tls.Client(raw, cfg)
	return nc, nc.HandshakeContext(ctx)
}

func tlsConfig(t target) (*tls.Config, error) {
	if t.roots == "" {
		return nil, nil
	}
	b, err := os.ReadFile(t.roots)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s holds no certificate", t.roots)
	}
	return &tls.Config{RootCAs: roots}, nil
}

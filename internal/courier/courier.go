// Package courier carries a few messages to the broker with the identity of the gateway, for
// commands that do their work while the gateway is stopped. It leaves no session behind.
package courier

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/credential"
	"github.com/fieldgate/fieldgate/internal/probe"
	"github.com/fieldgate/fieldgate/internal/transport"
	"github.com/fieldgate/fieldgate/mqtt"
)

const (
	connectWait = 30 * time.Second
	ackWait     = 30 * time.Second
	closeWait   = 2 * time.Second
)

// A Courier is connected. Its methods may be called from one goroutine.
type Courier struct {
	client *mqtt.Client
	ended  chan error
	keeps  bool // the broker keeps retained messages
}

// Connect connects to the first broker of the configuration that answers. The error says in one
// sentence why none does, and what to do. now is the time to check certificates with.
func Connect(ctx context.Context, c *config.Config, now time.Time) (*Courier, error) {
	m := c.MQTT
	k := &Courier{ended: make(chan error, 1)}
	connected, failed := make(chan mqtt.Negotiated, 1), make(chan error, len(m.URLs))
	var err error
	k.client, err = mqtt.New(mqtt.Config{
		URLs: m.URLs, ClientID: m.ClientID, CleanStart: true, SessionExpiry: mqtt.NoSession, PublishRate: m.PublishRate, BytesRate: int(m.BytesRate),
		Dial: transport.New(transport.Config{MQTT: m, Protocols: c.Protocols}).Dial, Log: slog.New(slog.DiscardHandler),
		Credentials: func(ctx context.Context) (mqtt.Credentials, error) {
			password, expires, err := credential.Password(ctx, m)
			return mqtt.Credentials{Username: m.Username, Password: password, Expires: expires}, err
		},
		TLS: func(context.Context) (*tls.Config, error) {
			return credential.TLS(m.TLS, func() time.Time { return now })
		},
		OnEvent: func(e mqtt.Event) {
			switch {
			case e.Kind == mqtt.Connected:
				select {
				case connected <- e.Negotiated:
				default:
				}
			case e.Kind == mqtt.Disconnected && e.Err != nil:
				select {
				case failed <- e.Err:
				default:
				}
			}
		},
	})
	if err != nil {
		return nil, err
	}
	running := context.WithoutCancel(ctx)
	go func() { k.ended <- k.client.Run(running) }() // Close waits for it
	ctx, cancel := context.WithTimeout(ctx, connectWait)
	defer cancel()
	for tries := 0; ; {
		select {
		case n := <-connected:
			k.keeps = n.RetainAvailable
			return k, nil
		case err = <-failed:
			if tries++; tries < len(m.URLs) {
				continue
			}
			remedy, cause := probe.Diagnose(err)
			err = probe.Sentence(cause, remedy)
		case <-ctx.Done():
			err = ctx.Err()
			if errors.Is(err, context.DeadlineExceeded) {
				err = errors.New("no broker answered within " + connectWait.String())
			}
		}
		k.Close()
		return nil, err
	}
}

// Publish sends a message with QoS 1 and waits until the broker has taken it. That nobody
// subscribes to it is no error. At a broker that keeps nothing there is nothing to clear.
func (k *Courier) Publish(ctx context.Context, topic string, payload []byte, retain bool) error {
	if retain && !k.keeps && len(payload) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	_, err := k.client.Publish(ctx, &mqtt.Message{Topic: topic, Payload: payload, QoS: mqtt.AtLeastOnce, Retain: retain, ContentType: "application/json"})
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("the broker did not acknowledge it within " + ackWait.String())
	}
	return err
}

// Close leaves in order; the broker forgets the session.
func (k *Courier) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	_ = k.client.Close(ctx, mqtt.Disconnect{}) // the connection ends either way
	<-k.ended
}

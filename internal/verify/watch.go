package verify

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/credential"
	"github.com/fieldgate/fieldgate/internal/transport"
	"github.com/fieldgate/fieldgate/mqtt"
)

// keepSession is how long a broker has to keep messages for a verifier whose connection is
// interrupted.
const keepSession = time.Hour

// A Watcher takes in what Watch hears. Message is called on a goroutine of its own, one at a time;
// so are the others.
type Watcher struct {
	Connecting   func(url string) // the first time
	Connected    func(url string) // each time
	Disconnected func(err error)  // each time that there is no connection for a new reason
	// Outage gets a time of which nobody knows what was sent: the broker lost the session, or the
	// watch ended without a connection.
	Outage  func(from, to time.Time)
	Message func(topic string, payload []byte)
}

// Watch subscribes to everything that the gateways below the prefix send, gateway being one id or
// "+". It goes on over restarts of the broker and returns nil when ctx ends; if there never was a
// connection by then, why.
func Watch(ctx context.Context, c *config.Config, prefix, gateway string, w Watcher) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	m := c.MQTT
	var reason error    // of there being no connection now
	tried := false      // to make one
	heard := false      // there was one
	lost := false       // with its session
	var until time.Time // it ended, zero while there is one
	client, err := mqtt.New(mqtt.Config{
		URLs: m.URLs, ClientID: "fieldgate-verify-" + rand.Text()[:10], SessionExpiry: keepSession, // the id is new: no Clean Start, see mqtt.Config
		Dial: transport.New(transport.Config{MQTT: m, Protocols: c.Protocols}).Dial,
		Credentials: func(ctx context.Context) (mqtt.Credentials, error) {
			password, expires, err := credential.Password(ctx, m)
			return mqtt.Credentials{Username: m.Username, Password: password, Expires: expires}, err
		},
		TLS: func(context.Context) (*tls.Config, error) { return credential.TLS(m.TLS, time.Now) },
		Subscriptions: []mqtt.Subscription{
			{Filter: prefix + "/" + gateway + "/telemetry/#", QoS: mqtt.AtLeastOnce},
			{Filter: prefix + "/" + gateway + "/events/+", QoS: mqtt.AtLeastOnce},
			{Filter: prefix + "/" + gateway + "/status", QoS: mqtt.AtLeastOnce},
		},
		OnEvent: func(e mqtt.Event) {
			switch {
			case e.Kind == mqtt.Connecting && !tried:
				tried = true
				w.Connecting(e.URL)
			case e.Kind == mqtt.SessionLost:
				lost = true
			case e.Kind == mqtt.Connected:
				for _, code := range e.Negotiated.Granted {
					if code.Failed() {
						stop(errors.New("the broker refused the subscription: " + code.String()))
					}
				}
				if heard && lost {
					w.Outage(until, time.Now())
				}
				reason, heard, lost = nil, true, false
				until = time.Time{}
				w.Connected(e.URL)
			case e.Kind == mqtt.Disconnected && !heard && mqtt.Diagnose(e.Err).Permanent:
				d := mqtt.Diagnose(e.Err)
				stop(fmt.Errorf("%s: %s (%w)", d.Cause, d.Remedy, e.Err))
			case e.Kind == mqtt.Disconnected && e.Err != nil && ctx.Err() == nil:
				if until.IsZero() {
					until = time.Now()
				}
				if reason == nil || reason.Error() != e.Err.Error() {
					w.Disconnected(e.Err)
				}
				reason = e.Err
			}
		},
		Handler: func(_ context.Context, m *mqtt.Message) error {
			w.Message(m.Topic, m.Payload)
			return nil
		},
	})
	if err != nil {
		return err
	}
	// The session is ended in order, so that the broker keeps nothing for a verifier that does not
	// come back.
	leave := context.AfterFunc(ctx, func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = client.Close(closing, mqtt.Disconnect{SessionExpiry: mqtt.NoSession})
	})
	defer leave()
	if err := client.Run(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	if heard && !until.IsZero() {
		w.Outage(until, time.Now())
	}
	if !heard {
		return cmp.Or(reason, errors.New("no broker answered in that time"))
	}
	return nil
}

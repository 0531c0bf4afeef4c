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
	"github.com/fieldgate/fieldgate/mqtt"
	"github.com/fieldgate/fieldgate/mqtt/ws"
)

// ErrInterrupted says that the broker forgot the subscriber's session: what was sent meanwhile is not known, so nothing is
// proven.
var ErrInterrupted = errors.New("the broker lost the session of the verifier: readings may have passed it by; begin again")

// keepSession is how long a broker has to keep messages for a verifier whose connection is interrupted.
const keepSession = time.Hour

// Watch subscribes to everything that the gateways below the prefix send, gateway being one id or "+", and hands each message to take, which
// is not called concurrently. connected is called each time a connection is there, disconnected each time that there is none for a new reason.
// Watch returns nil when ctx ends; where there never was a connection by then, why.
func Watch(ctx context.Context, m config.MQTT, prefix, gateway string, connected func(url string), disconnected func(err error), take func(topic string, payload []byte)) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var reason error    // of there being no connection now
	heard := false      // there was one
	var until time.Time // it ended, zero while there is one
	client, err := mqtt.New(mqtt.Config{
		URLs: m.URLs, ClientID: "fieldgate-verify-" + rand.Text()[:10], SessionExpiry: keepSession, // the id is new: no Clean Start, see mqtt.Config
		Dial: ws.Dialer{}.Dial,
		Credentials: func(context.Context) (mqtt.Credentials, error) {
			password, err := credential.Password(m)
			return mqtt.Credentials{Username: m.Username, Password: password}, err
		},
		TLS: func(context.Context) (*tls.Config, error) { return credential.TLS(m.TLS, time.Now) },
		Subscriptions: []mqtt.Subscription{
			{Filter: prefix + "/" + gateway + "/telemetry/#", QoS: mqtt.AtLeastOnce},
			{Filter: prefix + "/" + gateway + "/events/+", QoS: mqtt.AtLeastOnce},
			{Filter: prefix + "/" + gateway + "/status", QoS: mqtt.AtLeastOnce},
		},
		OnEvent: func(e mqtt.Event) {
			switch {
			case e.Kind == mqtt.SessionLost:
				stop(fmt.Errorf("not heard from %s to %s: %w", until.UTC().Format(time.RFC3339), time.Now().UTC().Format(time.RFC3339), ErrInterrupted))
			case e.Kind == mqtt.Connected:
				for _, code := range e.Negotiated.Granted {
					if code.Failed() {
						stop(errors.New("the broker refused the subscription: " + code.String()))
					}
				}
				reason, heard = nil, true
				until = time.Time{}
				connected(e.URL)
			case e.Kind == mqtt.Disconnected && !heard && mqtt.Diagnose(e.Err).Permanent:
				d := mqtt.Diagnose(e.Err)
				stop(fmt.Errorf("%s: %s (%w)", d.Cause, d.Remedy, e.Err))
			case e.Kind == mqtt.Disconnected && e.Err != nil && ctx.Err() == nil:
				if until.IsZero() {
					until = time.Now()
				}
				if reason == nil || reason.Error() != e.Err.Error() {
					disconnected(e.Err)
				}
				reason = e.Err
			}
		},
		Handler: func(_ context.Context, m *mqtt.Message) error {
			take(m.Topic, m.Payload)
			return nil
		},
	})
	if err != nil {
		return err
	}
	// The session is ended in order, so that the broker keeps nothing for a verifier that does not come back.
	leave := context.AfterFunc(ctx, func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = client.Close(closing, mqtt.Farewell{SessionExpiry: -1})
	})
	defer leave()
	if err := client.Run(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	if !heard {
		return cmp.Or(reason, errors.New("no broker answered in that time"))
	}
	return nil
}

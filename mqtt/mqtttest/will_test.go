package mqtttest_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/mqtt"
	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// facts keep a session over two clients.
type facts mqtt.SessionFacts

func (f *facts) Load(context.Context) (mqtt.SessionFacts, error) { return mqtt.SessionFacts(*f), nil }
func (f *facts) Save(_ context.Context, now mqtt.SessionFacts) error {
	*f = facts(now)
	return nil
}

// TestWillDelay: the will is published when its delay is over or the session ends, whichever comes
// first, and not if the client comes again before (MQTT 5.0, 3.1.3.2.2).
func TestWillDelay(t *testing.T) {
	const delay = time.Minute
	for _, tt := range []struct {
		name    string
		expiry  time.Duration
		granted uint32 // by the broker, in seconds; 0: what the client asks for
		end     mqtt.Disconnect
		back    time.Duration // when the client comes again; 0: never
		clean   bool          // it begins a new session then
		forgets bool          // it does not know of its session then
		want    time.Duration // when the will comes; 0: never
	}{
		{name: "the delay", expiry: time.Hour, end: mqtt.Disconnect{Code: packet.DisconnectWithWill}, want: delay},
		{name: "the session ends before", expiry: 20 * time.Second, end: mqtt.Disconnect{Code: packet.DisconnectWithWill}, want: 20 * time.Second},
		{name: "the broker ends it before", expiry: time.Hour, granted: 30, end: mqtt.Disconnect{Code: packet.DisconnectWithWill}, want: 30 * time.Second},
		{name: "the client ends it", expiry: time.Hour, end: mqtt.Disconnect{Code: packet.DisconnectWithWill, SessionExpiry: mqtt.NoSession}, want: time.Nanosecond},
		{name: "no session", expiry: mqtt.NoSession, end: mqtt.Disconnect{Code: packet.DisconnectWithWill}, want: time.Nanosecond},
		{name: "in order", expiry: time.Hour},
		{name: "it comes again", expiry: time.Hour, end: mqtt.Disconnect{Code: packet.DisconnectWithWill}, back: 59 * time.Second},
		{name: "it comes again with a new session", expiry: time.Hour, end: mqtt.Disconnect{Code: packet.DisconnectWithWill}, back: 10 * time.Second, clean: true, want: 10 * time.Second},
		{name: "it comes again without its session", expiry: time.Hour, forgets: true, end: mqtt.Disconnect{Code: packet.DisconnectWithWill}, back: 10 * time.Second, want: 10 * time.Second},
		{name: "it comes again too late", expiry: time.Hour, end: mqtt.Disconnect{Code: packet.DisconnectWithWill}, back: 61 * time.Second, want: delay},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mqtttest.New(mqtttest.Behavior{})
				defer b.Close()
				if tt.granted > 0 {
					b.Behave(func(d *mqtttest.Behavior) {
						d.Properties = packet.Properties{Present: packet.Props(packet.PropSessionExpiry), SessionExpiry: tt.granted}
					})
				}
				var left time.Time
				var came []time.Duration
				run := func(c mqtt.Config) (end func(mqtt.Disconnect)) {
					c.URLs, c.Dial = []string{"mqtt://b"}, b.Dial
					client, err := mqtt.New(c)
					if err != nil {
						t.Fatal(err)
					}
					var ended sync.WaitGroup
					ended.Go(func() { _ = client.Run(context.Background()) })
					synctest.Wait()
					return func(d mqtt.Disconnect) { _ = client.Close(context.Background(), d); ended.Wait() }
				}
				watcher := run(mqtt.Config{ClientID: "watcher", Subscriptions: []mqtt.Subscription{{Filter: "will"}},
					Handler: func(context.Context, *mqtt.Message) error { came = append(came, time.Since(left)); return nil }})
				defer watcher(mqtt.Disconnect{})
				c := mqtt.Config{ClientID: "c", SessionExpiry: tt.expiry, Session: new(facts),
					Will: func() *mqtt.Will { return &mqtt.Will{Message: mqtt.Message{Topic: "will"}, Delay: delay} }}
				end := run(c)
				left = time.Now()
				end(tt.end)
				if tt.back > 0 {
					time.Sleep(tt.back)
					c.CleanStart = tt.clean
					if tt.forgets {
						c.Session = nil
					}
					end = run(c)
					defer end(mqtt.Disconnect{})
				}
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				want := []time.Duration{tt.want.Truncate(time.Second)}
				if tt.want == 0 {
					want = nil
				}
				if len(came) != len(want) || len(want) > 0 && came[0] != want[0] {
					t.Errorf("want a will at %v, got %v", want, came)
				}
			})
		})
	}
}

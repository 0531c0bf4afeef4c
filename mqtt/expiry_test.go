package mqtt

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// lifetimes are none, zero and more, which are three different things everywhere.
var lifetimes = []*time.Duration{nil, new(time.Duration(0)), new(5 * time.Second)}

// wantExpiry holds the property of a packet against a lifetime.
func wantExpiry(t *testing.T, where string, p *packet.Properties, want *time.Duration) {
	t.Helper()
	if has := p.Present.Has(packet.PropMessageExpiry); has != (want != nil) || has && p.MessageExpiry != seconds(*want) {
		t.Errorf("%s: want %v, got %v %d", where, want, has, p.MessageExpiry)
	}
}

// TestExpiryZeroIsNotNone receives, sends and bequeaths messages of each lifetime.
func TestExpiryZeroIsNotNone(t *testing.T) {
	for _, d := range lifetimes {
		use := func(c *Config) {
			c.Subscriptions = []Subscription{{Filter: "f", QoS: 1}}
			c.Will = func() *Will { return &Will{Message: Message{Topic: "w", Expiry: d}} }
		}
		scripted(t, mqtttest.Behavior{}, use, func(t *testing.T, b *mqtttest.Broker, k *tester) {
			k.await(t, Connected)
			wantExpiry(t, "will", &b.Connects()[0].Will.Properties, d)

			p := packet.Publish{Topic: "f", QoS: 1}
			if d != nil {
				p.Properties = packet.Properties{Present: packet.Props(packet.PropMessageExpiry), MessageExpiry: seconds(*d)}
			}
			b.Publish(p)
			if got := k.message(t).Expiry; (got == nil) != (d == nil) || got != nil && *got != *d {
				t.Errorf("received: want %v, got %v", d, got)
			}

			_, err := k.Publish(t.Context(), &Message{Topic: "t", QoS: 1, Expiry: d})
			if d != nil && *d == 0 {
				if !errors.Is(err, ErrExpired) || len(b.Published()) != 0 {
					t.Errorf("what has expired: %v, %d sent", err, len(b.Published()))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			wantExpiry(t, "sent", &b.Published()[0].Properties, d)
		})
	}
}

// TestExpiryIsStored lets another process repeat messages of each lifetime that was stored: the
// packets are the same. If the broker has lost the session, what has expired is not published
// again.
func TestExpiryIsStored(t *testing.T) {
	for _, lost := range []bool{false, true} {
		dir := t.TempDir()
		store := FileStore(dir)
		if err := store.Save(t.Context(), SessionFacts{ClientID: "c", Established: true}); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Messages(t.Context()); err != nil {
			t.Fatal(err)
		}
		var changes []MessageChange
		for i, d := range lifetimes {
			p := packet.Publish{Topic: "t", QoS: 1, ID: uint16(i + 1)}
			if d != nil {
				p.Properties = packet.Properties{Present: packet.Props(packet.PropMessageExpiry), MessageExpiry: seconds(*d)}
			}
			changes = append(changes, MessageChange{uint64(i + 1), MessageSent, p.Append(nil)})
		}
		if err := store.Record(t.Context(), changes); err != nil {
			t.Fatal(err)
		}
		synctest.Test(t, func(t *testing.T) {
			b := mqtttest.New(mqtttest.Behavior{})
			defer b.Close()
			cfg := connectTo(b)
			if !lost {
				first := start(t, cfg) // so that the broker has a session
				first.await(t, Connected)
				first.close(t, false)
			}
			cfg.Session = FileStore(dir)
			k := start(t, cfg)
			k.await(t, Connected)
			synctest.Wait()
			want := lifetimes
			if lost {
				want = []*time.Duration{nil, new(5 * time.Second)}
			}
			got := b.Published()
			if len(got) != len(want) {
				t.Fatalf("lost %v: %d messages, want %d", lost, len(got), len(want))
			}
			for i, p := range got {
				wantExpiry(t, "repeated", &p.Properties, want[i])
			}
			k.close(t, false)
		})
	}
}

package link

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/contract"
	payloadjson "github.com/fieldgate/fieldgate/internal/payload/json"
	"github.com/fieldgate/fieldgate/internal/reading"
	"github.com/fieldgate/fieldgate/internal/uplink"
	"github.com/fieldgate/fieldgate/mqtt"
	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
)

type wall struct{}

func (wall) Time(_ string, up time.Duration) (time.Time, bool) { return time.Unix(0, int64(up)), true }
func (wall) Pending() bool                                     { return false }

// TestNothingIsDiscarded: a backlog drains at the rate of a broker that discards what exceeds it,
// with live readings, retained documents and a connection that breaks in between; nothing is
// discarded, and live readings do not wait for the backlog.
func TestNothingIsDiscarded(t *testing.T) {
	const messages, bytes = 100, 512_000
	for _, tt := range []struct {
		name     string
		batch    int
		readings int
	}{{"messages", 1, 3000}, {"bytes", 500, 300_000}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				store, err := buffer.Open(t.Context(), filepath.Join(t.TempDir(), "q.db"), buffer.Options{MaxLoss: time.Hour, KernelBoot: "k",
					Up: func() time.Duration { return time.Since(began) + time.Hour }})
				if err != nil {
					t.Fatal(err)
				}
				measure := func(sensor string, n int) {
					for range n {
						body := reading.Append(nil, []drivers.Value{drivers.Float("temperature", 21.5)})
						if _, err := store.Append(t.Context(), buffer.Readings, sensor, time.Since(began), body); err != nil {
							t.Fatal(err)
						}
					}
				}
				for i := range 10 {
					measure(fmt.Sprint("s", i), tt.readings/10)
				}
				broker := mqtttest.New(mqtttest.Behavior{MaxMessages: messages, MaxBytes: bytes})
				defer broker.Close()
				m := config.MQTT{BytesRate: bytes, MessageMax: 128_000}
				var u *uplink.Uplink
				var broke time.Time
				var down time.Duration // without a connection
				client, err := mqtt.New(mqtt.Config{URLs: []string{"mqtt://b"}, ClientID: "gw", Dial: broker.Dial, MaxInFlight: 100,
					PublishRate: messages, BytesRate: bytes, OnEvent: func(e mqtt.Event) {
						switch {
						case e.Kind == mqtt.Disconnected:
							broke = time.Now()
						case e.Kind == mqtt.Connected && !broke.IsZero():
							down += time.Since(broke)
						}
						u.SetLink(uplink.Link{Up: e.Kind == mqtt.Connected, Window: 100, Fresh: !e.Negotiated.SessionPresent})
					}})
				if err != nil {
					t.Fatal(err)
				}
				encoder := new(payloadjson.Encoder)
				u = uplink.New(uplink.Config{Gateway: "gw", Topics: contract.NewTopics("p", "gw"), Encoder: encoder, JSON: encoder, BatchMax: tt.batch,
					MessageMax: MessageMax(m), Last: func(string) bool { return true }, Alarm: func(contract.AlarmEvent) {}, Queue: store,
					Client: Sender{client}, Clock: wall{}, Log: slog.New(slog.DiscardHandler)})
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 2)
				go func() { ended <- client.Run(ctx) }()
				go func() { ended <- u.Run(ctx) }()
				for i := range 10 {
					u.Set(fmt.Sprint("p/gw/sensors/s", i), []byte(`{"v":1}`), nil)
				}

				// Live readings until the backlog is drained.
				synctest.Wait() // for the connection
				start, live := time.Now(), 0
				taken := map[uint64]time.Time{}
				for store.Stats().Backlog > 0 && time.Since(start) < 10*time.Minute {
					live++
					taken[uint64(live)] = time.Now()
					measure("live", 1)
					time.Sleep(100 * time.Millisecond)
					if live == 100 {
						broker.Cut()
					}
				}
				took := time.Since(start)
				time.Sleep(5 * time.Second)
				synctest.Wait()
				if n := broker.Discarded(); n > 0 {
					t.Errorf("%d messages were discarded", n)
				}
				if s := store.Stats(); s.Live+s.Backlog > 0 {
					t.Errorf("left: %+v", s)
				}
				sent, wire, latest := 0, 0, time.Duration(0)
				for _, p := range broker.Published() {
					if p.At.Sub(start) <= took {
						sent++
						wire += p.Size()
					}
					if p.Topic == "p/gw/telemetry/live" && !p.Dup && p.At.Sub(start) > 15*time.Second {
						latest = max(latest, p.At.Sub(taken[firstSeq(p.Payload)]))
					}
				}
				share := max(float64(sent)/messages, float64(wire)/bytes) / (took - down).Seconds()
				t.Logf("%d messages and %d bytes in %v: %.3f of the rate; the latest live reading after %v", sent, wire, took, share, latest)
				if share < 0.95 || share > 1 {
					t.Errorf("it drained at %.3f of the rate", share)
				}
				if latest > 250*time.Millisecond {
					t.Errorf("a live reading came after %v", latest)
				}
				cancel()
				<-ended
				<-ended
				u.Settle(t.Context())
				if err := store.Close(context.Background()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// firstSeq returns the number of the first reading of a message.
func firstSeq(payload []byte) (seq uint64) {
	for i := range len(payload) - 6 {
		if string(payload[i:i+6]) == `"seq":` {
			_, _ = fmt.Sscan(string(payload[i+6:]), &seq)
			return seq
		}
	}
	return 0
}

func TestMessageMax(t *testing.T) {
	for _, tt := range []struct {
		message, rate config.Size
		want          int
	}{{0, 0, 0}, {1000, 0, 1000}, {0, 512_000, 5120}, {128_000, 512_000, 5120}, {5000, 512_000, 5000}, {0, 1000, 4096}} {
		if got := MessageMax(config.MQTT{MessageMax: tt.message, BytesRate: tt.rate}); got != tt.want {
			t.Errorf("%+v: got %d", tt, got)
		}
	}
}

func TestDrainDelay(t *testing.T) {
	if DrainDelay(config.MQTT{}) != nil {
		t.Error("a delay by default")
	}
	delay := DrainDelay(config.MQTT{DrainDelayMax: time.Minute})
	seen := map[time.Duration]bool{}
	for range 100 {
		d := delay()
		if seen[d] = true; d < 0 || d >= time.Minute {
			t.Error(d)
		}
	}
	if len(seen) < 50 {
		t.Error("it is not random")
	}
}

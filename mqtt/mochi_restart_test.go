package mqtt

import (
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/storage/bolt"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// arrivals is a hook that counts the messages that a broker took, over its restarts.
type arrivals struct {
	mu    sync.Mutex
	times map[string]int
}

type arrivalsHook struct {
	openHook
	*arrivals
}

func (h *arrivalsHook) Provides(b byte) bool { return b == mochi.OnPublished || h.openHook.Provides(b) }

func (h *arrivalsHook) OnPublished(_ *mochi.Client, p packets.Packet) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.times[string(p.Payload)]++
}

func (a *arrivals) distinct() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.times)
}

// startStoredMochi runs a broker at an address that keeps its sessions in a file, as it is shipped.
// Its Close is the caller's.
func startStoredMochi(t *testing.T, address, file string, a *arrivals) *mochi.Server {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	for _, err := range []error{
		s.AddHook(&arrivalsHook{arrivals: a}, nil), s.AddHook(new(bolt.Hook), &bolt.Options{Path: file}),
		s.AddListener(listeners.NewNet("tcp", l)), s.Serve(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// TestMochiRestart restarts a broker that cannot resume the sessions that it has stored: within 15
// s the client is connected again, and every message that it accepted arrives.
func TestMochiRestart(t *testing.T) {
	for _, v := range []struct {
		name  string
		use   func(*Config)
		inbox bool // messages for the client wait at the broker
	}{
		{"will", func(c *Config) {}, false},
		{"subscribed to its own will", func(c *Config) { c.Subscriptions = []Subscription{{Filter: "status/+", QoS: 1}} }, false},
		{"messages wait", func(c *Config) { c.Subscriptions = []Subscription{{Filter: "cmd/#", QoS: 1}} }, true},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			file, a := filepath.Join(t.TempDir(), "mochi.db"), &arrivals{times: make(map[string]int)}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			address := l.Addr().String()
			l.Close()
			s := startStoredMochi(t, address, file, a)
			defer func() { _ = s.Close() }()
			cfg := Config{
				URLs: []string{"mqtt://" + address}, ClientID: "gw", Session: new(memoryStore), SessionExpiry: time.Hour,
				Will: func() *Will {
					return &Will{Message: Message{Topic: "status/gw", Payload: []byte("lost"), QoS: 1, Retain: true}}
				},
			}
			v.use(&cfg)
			k := start(t, cfg)
			k.await(t, Connected)
			if v.inbox {
				k.close(t, true)
			}
			const each = 300
			send := func(from int) {
				for i := range each {
					if err := k.Send(&Message{Topic: "t", QoS: 1, Payload: fmt.Append(nil, from+i)}, func(_ PublishResult, err error) {
						if err != nil {
							t.Error(err)
						}
					}); err != nil {
						t.Fatal(err)
					}
				}
			}
			if v.inbox {
				other := start(t, Config{URLs: cfg.URLs, ClientID: "other"})
				for i := range 5 {
					other.publish(t, &Message{Topic: "cmd/x", QoS: 1, Payload: fmt.Append(nil, "c", i)})
				}
				other.close(t, false)
			} else {
				send(0)
			}
			_ = s.Close()
			s = startStoredMochi(t, address, file, a)
			begin := time.Now()
			if v.inbox {
				k = start(t, cfg)
				send(0)
			}
			send(each)
			for a.distinct() < 2*each || !k.Stats().Connected {
				if time.Since(begin) > 15*time.Second {
					t.Fatalf("after %v: %d of %d arrived, %+v", time.Since(begin).Round(time.Second), a.distinct(), 2*each, k.Stats())
				}
				time.Sleep(20 * time.Millisecond)
			}
			t.Logf("healed after %v, %+v", time.Since(begin).Round(10*time.Millisecond), k.Stats())
			time.Sleep(500 * time.Millisecond)
			if !k.Stats().Connected {
				t.Error("the connection does not stay")
			}
			k.close(t, false)
		})
	}
}

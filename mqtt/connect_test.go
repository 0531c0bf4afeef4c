package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

func TestConfigErrors(t *testing.T) {
	for _, v := range []struct {
		name string
		cfg  Config
	}{
		{"no URL", Config{}},
		{"scheme", Config{URLs: []string{"http://broker"}}}, // [MQTT-4.2-1]
		{"no host", Config{URLs: []string{"mqtt://"}}},
		{"no path", Config{URLs: []string{"unix://"}}},
		{"client id", Config{URLs: []string{"mqtt://b"}, ClientID: "\x00"}},
		{"keep alive", Config{URLs: []string{"mqtt://b"}, KeepAlive: 24 * time.Hour}},
		{"packet size", Config{URLs: []string{"mqtt://b"}, MaximumPacketSize: 1}},
		{"in flight", Config{URLs: []string{"mqtt://b"}, MaxInFlight: 70_000}},
		{"filter", Config{URLs: []string{"mqtt://b"}, Subscriptions: []Subscription{{Filter: "a#"}}}},
	} {
		t.Run(v.name, func(t *testing.T) {
			if _, err := New(v.cfg); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestRefusedConnections(t *testing.T) {
	for _, v := range []struct {
		name     string
		behavior mqtttest.Behavior
		min, max time.Duration // of the first delay
		check    func(error) bool
	}{
		{"not authorized", mqtttest.Behavior{Refuse: packet.NotAuthorized}, time.Minute, 2 * time.Minute, func(err error) bool {
			re, ok := errors.AsType[*ReasonError](err)
			return ok && re.Packet == "CONNACK" && re.Code == packet.NotAuthorized && IsPermanent(err)
		}},
		{"busy", mqtttest.Behavior{Refuse: packet.ServerBusy}, 5 * time.Second, 6 * time.Second, func(err error) bool {
			return reasonCode(err) == packet.ServerBusy && !IsPermanent(err)
		}},
		{"rate exceeded", mqtttest.Behavior{Refuse: packet.ConnectionRateExceeded}, 30 * time.Second, 31 * time.Second, func(err error) bool {
			return reasonCode(err) == packet.ConnectionRateExceeded
		}},
		{"MQTT 3.1.1", mqtttest.Behavior{MQTT311: true}, time.Minute, 2 * time.Minute, func(err error) bool {
			return err.Error() == "mqtt: broker does not speak MQTT 5"
		}},
		{"mute", mqtttest.Behavior{Mute: true}, 0, time.Second, func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
		{"no SUBACK", mqtttest.Behavior{NoSuback: true}, 0, time.Second, func(err error) bool { return err != nil }},
		{"cannot dial", mqtttest.Behavior{DialError: net.ErrClosed}, 0, time.Second, func(err error) bool { return errors.Is(err, net.ErrClosed) }},
	} {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mqtttest.New(v.behavior)
				defer b.Close()
				cfg := connectTo(b)
				cfg.Subscriptions = []Subscription{{Filter: "a"}}
				begin := time.Now()
				k := start(t, cfg)
				e := k.await(t, Disconnected)
				if !v.check(e.Err) {
					t.Error(e.Err)
				}
				if e.Retry < v.min || e.Retry > v.max {
					t.Errorf("delay %v, want %v to %v", e.Retry, v.min, v.max)
				}
				if d := time.Since(begin); d > 30*time.Second {
					t.Errorf("took %v", d)
				}
				k.close(t, false)
			})
		})
	}
}

// TestBackoffGrows checks that delays grow up to the limit, that a short connection does not begin
// them again, and that a stable one does.
func TestBackoffGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{DialError: errors.New("down")})
		defer b.Close()
		k := start(t, connectTo(b))
		longest := time.Duration(0)
		for i := range 40 {
			d := k.await(t, Disconnected).Retry
			if limit := min(time.Second<<min(i, 10), 2*time.Minute); d > limit {
				t.Errorf("delay %d is %v, at most %v", i, d, limit)
			}
			longest = max(longest, d)
		}
		if longest < 30*time.Second {
			t.Errorf("the longest of 40 delays is %v", longest)
		}
		b.Behave(func(h *mqtttest.Behavior) { h.DialError = nil })
		longest = 0
		for range 20 { // connections that end at once
			k.await(t, Connected)
			b.Cut()
			longest = max(longest, k.await(t, Disconnected).Retry)
		}
		if longest < 30*time.Second {
			t.Errorf("the longest delay after short connections is %v", longest)
		}
		k.await(t, Connected)
		time.Sleep(20 * time.Second)
		b.Cut()
		if d := k.await(t, Disconnected).Retry; d > time.Second {
			t.Errorf("%v after a stable connection", d)
		}
		k.await(t, Connected)
		b.Disconnect(packet.SessionTakenOver)
		k.await(t, TakenOver)
		if e := k.await(t, Disconnected); e.Retry < 10*time.Second || reasonCode(e.Err) != packet.SessionTakenOver {
			t.Errorf("%v after being taken over: %v", e.Retry, e.Err)
		}
		k.close(t, false)
	})
}

func TestSeveralURLs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		down := map[string]bool{"a": true}
		cfg := Config{URLs: []string{"mqtt://a", "mqtt://b"}, ClientID: "c", Dial: func(ctx context.Context, u *url.URL, c *tls.Config) (net.Conn, error) {
			if down[u.Host] {
				return nil, errors.New("down")
			}
			return b.Dial(ctx, u, c)
		}}
		k := start(t, cfg)
		if e := k.await(t, Disconnected); e.URL != "mqtt://a" || e.Retry != 0 {
			t.Errorf("%+v", e)
		}
		if e := k.await(t, Connected); e.URL != "mqtt://b" {
			t.Errorf("%+v", e)
		}
		b.Cut()
		k.await(t, Disconnected)
		if e := k.await(t, Connecting); e.URL != "mqtt://b" {
			t.Errorf("after a lost connection: %+v", e)
		}
		k.await(t, Connected)
		k.close(t, false)
	})
}

// A savedFacts is a session store that notes when it was called.
type savedFacts struct {
	sync.Mutex
	facts SessionFacts
	log   []string
	fail  error
	b     *mqtttest.Broker
}

func (s *savedFacts) Load(context.Context) (SessionFacts, error) {
	s.Lock()
	defer s.Unlock()
	return s.facts, s.fail
}

// setFail makes the store fail from now on, or not.
func (s *savedFacts) setFail(err error) {
	s.Lock()
	defer s.Unlock()
	s.fail = err
}

// received returns the identifiers that are stored.
func (s *savedFacts) received() []uint16 {
	s.Lock()
	defer s.Unlock()
	return s.facts.Received
}

func (s *savedFacts) Save(_ context.Context, f SessionFacts) error {
	s.Lock()
	defer s.Unlock()
	if s.fail != nil {
		return s.fail
	}
	f.Received = slices.Clone(f.Received)
	s.facts = f
	if len(s.b.Connects()) == 0 {
		s.log = append(s.log, "before CONNECT")
	} else {
		s.log = append(s.log, "after CONNECT")
	}
	return nil
}

// TestSessionFacts runs one client after the other with the same store.
//
// [MQTT-3.1.2-23]
func TestSessionFacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		store := &savedFacts{b: b}
		run := func(want ...EventKind) {
			cfg := connectTo(b)
			cfg.Session = store
			k := start(t, cfg)
			var got []EventKind
			for {
				e := <-k.events
				got = append(got, e.Kind)
				if e.Kind == Connected {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("events %v, want %v", got, want)
			}
			k.close(t, false)
		}
		run(Connecting, Connected)
		if !slices.Equal(store.log, []string{"before CONNECT"}) || !store.facts.Established || store.facts.ClientID != "c" {
			t.Errorf("%q, %+v", store.log, store.facts)
		}
		run(Connecting, Connected) // resumes
		b.Behave(func(h *mqtttest.Behavior) { h.LoseSession = true })
		run(Connecting, SessionLost, Connected)
		var clean []bool
		for _, p := range b.Connects() {
			clean = append(clean, p.CleanStart)
			if p.Properties.SessionExpiry != 86400 {
				t.Errorf("session expiry %d", p.Properties.SessionExpiry)
			}
		}
		if !slices.Equal(clean, []bool{false, false, false}) {
			t.Errorf("clean starts %v", clean)
		}
		if len(store.log) != 1 {
			t.Errorf("saved %q: what does not change is not written", store.log)
		}
	})
}

// TestForeignSession: a client without facts finds a session under its id. It must not go on with
// it [MQTT-3.2.2-4], and does not need to wait for a new one.
//
// [MQTT-3.2.2-4]
func TestForeignSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		for _, want := range [][]EventKind{{Connecting, Connected}, {Connecting, Disconnected, Connecting, Connected}} {
			cfg := connectTo(b)
			cfg.Session = nil
			began := time.Now()
			k := start(t, cfg)
			var got []EventKind
			for len(got) == 0 || got[len(got)-1] != Connected {
				got = append(got, (<-k.events).Kind)
			}
			if !slices.Equal(got, want) || time.Since(began) > 100*time.Millisecond {
				t.Errorf("events %v after %v, want %v at once", got, time.Since(began), want)
			}
			k.close(t, false)
		}
		var clean []bool
		for _, p := range b.Connects() {
			clean = append(clean, p.CleanStart)
		}
		if !slices.Equal(clean, []bool{false, false, true}) {
			t.Errorf("clean starts %v", clean)
		}
	})
}

// TestAssignedClientID checks that a client id that the broker assigned is used from then on, also
// by the next process.
//
// [MQTT-3.1.3-2] [MQTT-3.1.3-6] [MQTT-3.1.3-7]
func TestAssignedClientID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		store := &savedFacts{b: b}
		for range 2 {
			k := start(t, Config{URLs: []string{"mqtt://test"}, Dial: b.Dial, Session: store})
			g := k.await(t, Connected).Negotiated
			if g.ClientID != "assigned-1" {
				t.Errorf("client id %q", g.ClientID)
			}
			b.Cut()
			k.await(t, Disconnected)
			k.await(t, Connected)
			k.close(t, false)
		}
		var ids []string
		for _, p := range b.Connects() {
			ids = append(ids, p.ClientID)
		}
		wantList(t, "client ids", ids, "", "assigned-1", "assigned-1", "assigned-1")
	})
}

func TestStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		store := &savedFacts{b: b, fail: errors.New("disk full")}
		cfg := connectTo(b)
		cfg.Session = store
		k := start(t, cfg)
		if e := k.await(t, Disconnected); e.Err == nil || !strings.Contains(e.Err.Error(), "disk full") {
			t.Error(e.Err)
		}
		if n := len(b.Connects()); n != 0 {
			t.Errorf("%d CONNECTs without facts on disk", n)
		}
		store.setFail(nil)
		k.await(t, Connected)
		k.close(t, false)
	})
}

// TestProviders checks what is asked before every attempt.
func TestProviders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		tokens := []string{"one", "two"}
		cfg := connectTo(b)
		cfg.Credentials = func(context.Context) (Credentials, error) {
			token := tokens[0]
			tokens = tokens[1:]
			return Credentials{Username: "u", Password: []byte(token)}, nil
		}
		cfg.Will = func() *Will {
			return &Will{Message: Message{Topic: "w", Payload: []byte(tokens[0]), QoS: 1, Retain: true, Expiry: new(time.Hour)}, Delay: 1500 * time.Millisecond}
		}
		tokens = append(tokens, "three", "four")
		k := start(t, cfg)
		k.await(t, Connected)
		b.Cut()
		k.await(t, Disconnected)
		k.await(t, Connected)
		c := b.Connects()
		for i, want := range []string{"one", "two"} {
			w := c[i].Will
			if string(c[i].Password) != want || c[i].Username != "u" || w == nil || w.QoS != 1 || !w.Retain || w.Properties.WillDelay != 2 ||
				w.Properties.MessageExpiry != 3600 {
				t.Errorf("CONNECT %d: %+v, will %+v", i, c[i], w)
			}
		}
		if string(c[0].Will.Payload) != "two" || string(c[1].Will.Payload) != "three" {
			t.Errorf("wills %q, %q", c[0].Will.Payload, c[1].Will.Payload)
		}
		k.close(t, false)
	})
}

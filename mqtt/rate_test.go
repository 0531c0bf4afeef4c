package mqtt

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// TestWithdraw: what waits for the rate is withdrawn, unless it has the priority, and what was sent
// keeps its outcome.
func TestWithdraw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		cfg := connectTo(b)
		cfg.PublishRate = 1
		k := start(t, cfg)
		k.await(t, Connected)
		got := map[string]int{}
		for i := range 21 {
			m := &Message{Topic: "t", QoS: 1, Priority: i / 20}
			if err := k.Send(m, func(_ PublishResult, err error) { got[fmt.Sprint(m.Priority, err)]++ }); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		k.Withdraw(1)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if want := fmt.Sprint(map[string]int{"0 <nil>": 1, "0 " + ErrWithdrawn.Error(): 19, "1 <nil>": 1}); fmt.Sprint(got) != want {
			t.Errorf("got %v, want %v", got, want)
		}
		if s := k.Stats(); s.Queued != 0 {
			t.Errorf("%d are left", s.Queued)
		}
	})
}

// TestRateIsKeptAndUsed: a broker that discards what exceeds its rate in any second discards
// nothing, and gets nearly that rate, also over reconnections with what has to be repeated.
func TestRateIsKeptAndUsed(t *testing.T) {
	for _, tt := range []struct {
		name                         string
		messages, bytes, size, count int
		cut                          bool
	}{
		{name: "messages", messages: 100, size: 150, count: 2000},
		{name: "few messages", messages: 1, size: 150, count: 20},
		{name: "many messages", messages: 1000, size: 150, count: 5000},
		{name: "bytes", bytes: 512_000, size: 10_000, count: 500},
		{name: "small messages", bytes: 512_000, size: 100, count: 20_000},
		{name: "both", messages: 100, bytes: 512_000, size: 4_000, count: 1000},
		{name: "repeated", messages: 100, size: 150, count: 1000, cut: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mqtttest.New(mqtttest.Behavior{MaxMessages: tt.messages, MaxBytes: tt.bytes})
				defer b.Close()
				cfg := connectTo(b)
				cfg.PublishRate, cfg.BytesRate, cfg.MaxQueued, cfg.MaxInFlight = float64(tt.messages), tt.bytes, tt.count, 100
				k := start(t, cfg)
				k.await(t, Connected)
				begin, settled, wire := time.Now(), make(chan error, tt.count), 0
				for range tt.count {
					m := &Message{Topic: "t", QoS: 1, Payload: make([]byte, tt.size)}
					if err := k.Send(m, func(_ PublishResult, err error) { settled <- err }); err != nil {
						t.Fatal(err)
					}
				}
				for i := range tt.count {
					if tt.cut && i == tt.count/2 {
						b.Cut()
					}
					if err := <-settled; err != nil {
						t.Fatal(err)
					}
				}
				took := time.Since(begin).Seconds()
				for _, p := range b.Published() {
					wire += p.Size()
				}
				if n := b.Discarded(); n > 0 {
					t.Errorf("%d messages were discarded", n)
				}
				least := 0.0
				if tt.messages > 0 {
					least = float64(tt.count) / float64(tt.messages)
				}
				if tt.bytes > 0 {
					least = max(least, float64(wire)/float64(tt.bytes))
				}
				if most := least*1.05 + map[bool]float64{true: 2}[tt.cut]; took > most || took < least*0.95 {
					t.Errorf("it took %.1fs, want %.1fs and at most 5 %% more", took, least)
				}
				k.close(t, false)
			})
		})
	}
}

// TestPriority: of what waits for the rate the most important goes first, in its order.
func TestPriority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		cfg := connectTo(b)
		cfg.PublishRate = 10
		k := start(t, cfg)
		k.await(t, Connected)
		var o outcomes
		for i := range 9 {
			k.send(t, &o, Message{Topic: fmt.Sprintf("%d-%d", i%3, i/3), QoS: 1, Priority: i % 3})
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		var order []string
		for _, p := range b.Published() {
			order = append(order, p.Topic)
		}
		if got, want := strings.Join(order, " "), "2-0 2-1 2-2 1-0 1-1 1-2 0-0 0-1 0-2"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		k.close(t, false)
	})
}

// TestLargeMessagePassesTheRate: what is larger than the bucket waits until that is full.
func TestLargeMessagePassesTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		cfg := connectTo(b)
		cfg.BytesRate = 1000
		k := start(t, cfg)
		k.await(t, Connected)
		for range 2 {
			k.publish(t, &Message{Topic: "t", QoS: 1, Payload: make([]byte, 20_000)})
		}
		p := b.Published()
		if d := p[1].At.Sub(p[0].At); d < 19*time.Second || d > 22*time.Second {
			t.Errorf("the second one came after %v, want about 20s", d)
		}
		k.close(t, false)
	})
}

// TestPause: the client leaves as it is told, comes back when it is told, and keeps what waits.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		cfg := connectTo(b)
		asked := make(chan struct{})
		cfg.Dial = func(ctx context.Context, u *url.URL, c *tls.Config) (net.Conn, error) {
			<-asked
			return b.Dial(ctx, u, c)
		}
		k := start(t, cfg)
		if err := k.Pause(Disconnect{}, time.Hour); err != ErrNotConnected {
			t.Errorf("before the connection: %v", err)
		}
		close(asked)
		k.await(t, Connected)
		if err := k.Pause(Disconnect{Code: packet.DisconnectWithWill}, time.Hour); err != nil {
			t.Fatal(err)
		}
		if e := k.await(t, Disconnected); e.Err != nil || e.Retry < 59*time.Minute || e.Retry > time.Hour {
			t.Errorf("%+v", e)
		}
		var o outcomes
		k.send(t, &o, Message{Topic: "a", QoS: 1})
		began := time.Now()
		time.Sleep(59 * time.Minute)
		if e := k.await(t, Connected); !e.Negotiated.SessionPresent || time.Since(began) > time.Hour || time.Since(began) < 59*time.Minute {
			t.Errorf("%+v after %v", e, time.Since(began))
		}
		synctest.Wait()
		wantList(t, "outcomes", o.list, "a: 0x00 success")
		if d := b.Disconnects(); len(d) != 1 || d[0].Code != packet.DisconnectWithWill {
			t.Errorf("%+v", d)
		}
		k.close(t, false)
	})
}

// TestCloseWhilePaused ends at once.
func TestCloseWhilePaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		k := start(t, connectTo(b))
		k.await(t, Connected)
		if err := k.Pause(Disconnect{}, time.Hour); err != nil {
			t.Fatal(err)
		}
		k.await(t, Disconnected)
		began := time.Now()
		k.close(t, false)
		if d := time.Since(began); d > 0 {
			t.Errorf("it took %v", d)
		}
	})
}

package mqtt

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// TestCredentialsExpire checks that the client reconnects before its credentials end, keeps its
// session, and loses nothing.
func TestCredentialsExpire(t *testing.T) {
	for _, v := range []struct{ lifetime, want time.Duration }{
		{time.Hour, 59 * time.Minute},
		{2 * time.Minute, 108 * time.Second},
		{0, 10 * time.Second},          // they have ended already
		{-time.Hour, 10 * time.Second}, // not in a tight loop
		{5 * time.Second, 10 * time.Second},
	} {
		t.Run(v.lifetime.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mqtttest.New(mqtttest.Behavior{})
				defer b.Close()
				cfg := connectTo(b)
				tokens := 0
				cfg.Credentials = func(context.Context) (Credentials, error) {
					tokens++
					return Credentials{Password: fmt.Append(nil, tokens), Expires: time.Now().Add(v.lifetime)}, nil
				}
				k := start(t, cfg)
				for i := range 3 {
					k.await(t, Connected)
					time.Sleep(v.want - time.Millisecond)
					if !k.Stats().Connected {
						t.Errorf("connection %d ended before %v", i, v.want)
					}
					time.Sleep(time.Millisecond)
					if e := k.await(t, Disconnected); e.Err != ErrCredentialsExpire || e.Retry != 0 {
						t.Errorf("connection %d: %v, next in %v", i, e.Err, e.Retry)
					}
				}
				if e := k.await(t, Connected); !e.Negotiated.SessionPresent {
					t.Error("the session is lost")
				}
				if c := b.Connects(); string(c[3].Password) != "4" {
					t.Errorf("password %q", c[3].Password)
				}
				for _, f := range b.Disconnects() {
					if f.Code != packet.DisconnectWithWill {
						t.Errorf("%+v", f)
					}
				}
				k.close(t, false)
			})
		})
	}
}

// TestCredentialsExpireWithAuthenticator checks that the client re-authenticates on the connection.
func TestCredentialsExpireWithAuthenticator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &scramServer{password: "pencil"}
		b := mqtttest.New(mqtttest.Behavior{Authenticate: server.authenticate})
		defer b.Close()
		cfg := connectTo(b)
		broken := errors.New("no token")
		var fail atomic.Bool
		cfg.Credentials = func(context.Context) (Credentials, error) {
			if fail.Load() {
				return Credentials{}, broken
			}
			return Credentials{Expires: time.Now().Add(time.Hour)}, nil
		}
		cfg.Authenticator = SCRAMSHA256(alice)
		k := start(t, cfg)
		k.await(t, Connected)
		time.Sleep(10 * 59 * time.Minute)
		synctest.Wait()
		if s := k.Stats(); s.Connects != 1 || server.exchanges.Load() != 11 {
			t.Errorf("%d connections, %d exchanges in 10 times 59 minutes", s.Connects, server.exchanges.Load())
		}
		fail.Store(true)
		time.Sleep(time.Hour)
		if e := k.await(t, Disconnected); !errors.Is(e.Err, broken) {
			t.Error(e.Err)
		}
		fail.Store(false)
		k.await(t, Connected)
		k.close(t, false)
	})
}

// TestCredentialsRefused checks that they are asked for once more at once, and then with the long
// delay.
func TestCredentialsRefused(t *testing.T) {
	for _, code := range []packet.ReasonCode{packet.BadUserNameOrPassword, packet.NotAuthorized} {
		t.Run(code.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mqtttest.New(mqtttest.Behavior{Refuse: code})
				defer b.Close()
				cfg := connectTo(b)
				cfg.Credentials = func(context.Context) (Credentials, error) { return Credentials{Username: "u"}, nil }
				k := start(t, cfg)
				for range 2 {
					if e := k.await(t, Disconnected); e.Retry > time.Second {
						t.Errorf("first delay %v", e.Retry)
					}
					for range 3 {
						if e := k.await(t, Disconnected); e.Retry < time.Minute {
							t.Errorf("next delay %v", e.Retry)
						}
					}
					b.Behave(func(h *mqtttest.Behavior) { h.Refuse = 0 })
					k.await(t, Connected)
					time.Sleep(time.Minute)
					b.Behave(func(h *mqtttest.Behavior) { h.Refuse = code })
					b.Cut()
					k.await(t, Disconnected)
				}
				k.close(t, false)
			})
		})
	}
}

package mqtt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"syscall"
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

// TestCredentialsAreNotThereYet checks that the client stays connected while its credentials last
// if there are no newer ones.
func TestCredentialsAreNotThereYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		cfg := connectTo(b)
		var asked, working atomic.Int32
		var end atomic.Int64
		end.Store(time.Now().Add(time.Hour).Unix())
		cfg.Credentials = func(context.Context) (Credentials, error) {
			if asked.Add(1); working.Load() == 0 && asked.Load() > 1 {
				return Credentials{}, errors.New("the server of tokens is away")
			}
			return Credentials{Password: fmt.Append(nil, asked.Load()), Expires: time.Unix(end.Load(), 0)}, nil
		}
		k := start(t, cfg)
		k.await(t, Connected)
		time.Sleep(59*time.Minute + 25*time.Second) // asked after 59m, and 10s and 20s later
		working.Store(1)                            // but it has the same token as before
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if s := k.Stats(); !s.Connected || s.Connects != 1 || asked.Load() != 5 {
			t.Errorf("connected %v, %d connections, asked %d times", s.Connected, s.Connects, asked.Load())
		}
		end.Store(time.Now().Add(time.Hour).Unix())
		time.Sleep(10 * time.Second)
		if e := k.await(t, Disconnected); e.Err != ErrCredentialsExpire || e.Retry != 0 {
			t.Errorf("%v, next in %v", e.Err, e.Retry)
		}
		k.await(t, Connected)
		if c := b.Connects(); len(c) != 2 || string(c[1].Password) != "6" || asked.Load() != 6 {
			t.Errorf("password %q, asked %d times", c[len(c)-1].Password, asked.Load())
		}
		working.Store(0)
		time.Sleep(time.Hour + time.Second)
		if e := k.await(t, Disconnected); e.Err == nil || e.Err == ErrCredentialsExpire {
			t.Errorf("no new credentials: %v", e.Err)
		}
		k.close(t, false)
	})
}

// TestCredentialsHang checks that a wait for new ones does not outlast the connection.
func TestCredentialsHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		cfg := connectTo(b)
		var asked atomic.Int32
		cfg.Credentials = func(ctx context.Context) (Credentials, error) {
			if asked.Add(1) == 2 {
				<-ctx.Done()
				return Credentials{}, ctx.Err()
			}
			return Credentials{Expires: time.Now().Add(time.Hour)}, nil
		}
		k := start(t, cfg)
		k.await(t, Connected)
		time.Sleep(59*time.Minute + time.Second)
		b.Cut()
		begin := time.Now()
		k.await(t, Disconnected)
		if d := time.Since(begin); d > time.Second {
			t.Errorf("noticed after %v", d)
		}
		k.await(t, Connected)
		k.close(t, false)
	})
}

// TestRenewalWithWillDelay checks that a will with a Delay is there when the client renews.
func TestRenewalWithWillDelay(t *testing.T) {
	if testing.Short() {
		t.Skip("credentials last 10s at least")
	}
	u := tcpMosquitto(t, "")
	watcher := start(t, Config{URLs: []string{u}, ClientID: "watcher", Subscriptions: []Subscription{{Filter: "#", QoS: 1}}})
	watcher.await(t, Connected)
	k := start(t, Config{URLs: []string{u}, ClientID: "gw",
		Credentials: func(context.Context) (Credentials, error) {
			return Credentials{Username: "u", Password: []byte("p"), Expires: time.Now().Add(time.Second)}, nil
		},
		Will: func() *Will {
			return &Will{Delay: 5 * time.Second, Message: Message{Topic: "status", Payload: []byte("lost"), QoS: 1}}
		}})
	k.await(t, Connected)
	if e := k.await(t, Disconnected); e.Err != ErrCredentialsExpire { // 10s later
		t.Error(e.Err)
	}
	if e := k.await(t, Connected); !e.Negotiated.SessionPresent {
		t.Error("the session is lost")
	}
	k.publish(t, &Message{Topic: "end", QoS: 1})
	if m := watcher.message(t); m.Topic != "end" {
		t.Errorf("got %s %q", m.Topic, m.Payload)
	}
	k.close(t, false)
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

// TestCredentialsFail checks that the remedy is not about the broker, unless a file says more.
func TestCredentialsFail(t *testing.T) {
	for err, remedy := range map[error]string{
		errors.New("no token today"):                                 "the credentials have to be got first",
		&fs.PathError{Op: "open", Path: "/p", Err: fs.ErrPermission}: "let the user of this process read it",
		syscall.ECONNREFUSED:                                         "the credentials have to be got first", // of a server of tokens
	} {
		k := start(t, Config{URLs: []string{"mqtt://127.0.0.1:1"}, Credentials: func(context.Context) (Credentials, error) { return Credentials{}, err }})
		if d := Diagnose(k.await(t, Disconnected).Err); !strings.Contains(d.Remedy, remedy) || d.Cause == "" {
			t.Errorf("%v: %+v", err, d)
		}
		k.close(t, false)
	}
}

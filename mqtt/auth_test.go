package mqtt

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"

	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

func alice(context.Context) (Credentials, error) {
	return Credentials{Username: "user", Password: []byte("pencil")}, nil
}

// TestSCRAMVector plays the example of RFC 7677, 3.
func TestSCRAMVector(t *testing.T) {
	s := SCRAMSHA256(alice).(*scram)
	s.nonce = func() string { return "rOprNGfwEbeRWgbNEkqO" }
	ctx := t.Context()
	first, err := s.Start(ctx)
	if err != nil || string(first) != "n,,n=user,r=rOprNGfwEbeRWgbNEkqO" {
		t.Fatalf("%q, %v", first, err)
	}
	final, err := s.Continue(ctx, []byte("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"))
	const want = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
	if err != nil || string(final) != want {
		t.Fatalf("%q, %v", final, err)
	}
	if err := s.Done(ctx, []byte("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")); err != nil {
		t.Error(err)
	}
}

// TestSCRAMRefuses checks what a broker must not get away with.
func TestSCRAMRefuses(t *testing.T) {
	const salt = "s=W22ZaJ0SNY7soEsUEjb6gQ=="
	const challenge = "r=abcdef," + salt + ",i=4096"
	for _, v := range []struct{ name, challenge, final string }{
		{"empty", "", ""},
		{"extension", "m=x,r=abcdef," + salt + ",i=4096", ""},
		{"other nonce", "r=xbcdef," + salt + ",i=4096", ""},
		{"no nonce of its own", "r=abc," + salt + ",i=4096", ""},
		{"weak", "r=abcdef," + salt + ",i=4095", ""},
		{"endless", "r=abcdef," + salt + ",i=1000001", ""},
		{"negative", "r=abcdef," + salt + ",i=-1", ""},
		{"no salt", "r=abcdef,s=,i=4096", ""},
		{"salt not base64", "r=abcdef,s=!,i=4096", ""},
		{"no proof", challenge, ""},
		{"error", challenge, "e=unknown-user"},
		{"wrong proof", challenge, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
	} {
		t.Run(v.name, func(t *testing.T) {
			s := SCRAMSHA256(alice).(*scram)
			s.nonce = func() string { return "abc" }
			if _, err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := s.Done(t.Context(), []byte("v=")); err == nil {
				t.Error("success before the challenge")
			}
			_, err := s.Continue(t.Context(), []byte(v.challenge))
			if good := v.challenge == challenge; good != (err == nil) {
				t.Errorf("after the challenge: %v", err)
			} else if good && s.Done(t.Context(), []byte(v.final)) == nil {
				t.Error("no error at the end")
			}
		})
	}
	s := SCRAMSHA256(func(context.Context) (Credentials, error) { return Credentials{Username: "a=b,c"}, nil })
	if first, err := s.Start(t.Context()); err != nil || !strings.HasPrefix(string(first), "n,,n=a=3Db=2Cc,r=") {
		t.Errorf("%q, %v", first, err)
	}
	s = SCRAMSHA256(func(context.Context) (Credentials, error) { return Credentials{}, nil })
	if _, err := s.Start(t.Context()); err == nil {
		t.Error("no error without a user name")
	}
}

// A scramServer is the broker's side of SCRAM-SHA-256, worked out from RFC 5802 and not from the
// client.
type scramServer struct {
	password        string
	separate        bool // prove itself in an AUTH of its own
	lie             bool // prove nothing
	first, serverIn string
	verified        bool
	exchanges       atomic.Int64
}

func (s *scramServer) authenticate(start bool, data []byte) (answer []byte, done bool, err error) {
	mac := func(key []byte, m string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(m))
		return h.Sum(nil)
	}
	if start {
		s.exchanges.Add(1)
		s.verified = false
		s.first = strings.TrimPrefix(string(data), "n,,")
		nonce := s.first[strings.Index(s.first, "r=")+2:]
		s.serverIn = fmt.Sprintf("r=%sserver%d,s=%s,i=4096", nonce, s.exchanges.Load(), base64.StdEncoding.EncodeToString([]byte("salt")))
		return []byte(s.serverIn), false, nil
	}
	if s.verified && len(data) == 0 {
		return nil, true, nil
	}
	bare, proof64, _ := strings.Cut(string(data), ",p=")
	if !strings.HasPrefix(s.serverIn, strings.TrimPrefix(bare, "c=biws,")+",") {
		return nil, false, errors.New("nonce")
	}
	salted, err := pbkdf2.Key(sha256.New, s.password, []byte("salt"), 4096, 32)
	if err != nil {
		return nil, false, err
	}
	message := s.first + "," + s.serverIn + "," + bare
	stored := sha256.Sum256(mac(salted, "Client Key"))
	proof, _ := base64.StdEncoding.DecodeString(proof64)
	if len(proof) != 32 {
		return nil, false, errors.New("proof")
	}
	key := make([]byte, 32)
	subtle.XORBytes(key, proof, mac(stored[:], message))
	if sha256.Sum256(key) != stored {
		return nil, false, errors.New("wrong password")
	}
	s.verified = true
	signature := mac(mac(salted, "Server Key"), message)
	if s.lie {
		signature[0]++
	}
	return []byte("v=" + base64.StdEncoding.EncodeToString(signature)), !s.separate, nil
}

// TestEnhancedAuthentication authenticates at connecting, again on the connection, and at the next
// connection.
func TestEnhancedAuthentication(t *testing.T) {
	for _, separate := range []bool{false, true} {
		t.Run(fmt.Sprint("separate=", separate), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &scramServer{password: "pencil", separate: separate}
				b := mqtttest.New(mqtttest.Behavior{Authenticate: server.authenticate})
				defer b.Close()
				cfg := connectTo(b)
				cfg.Authenticator = SCRAMSHA256(alice)
				k := start(t, cfg)
				k.await(t, Connected)
				var o outcomes
				for range 3 {
					k.send(t, &o, Message{Topic: "t", QoS: 1})
					if err := k.Reauthenticate(t.Context()); err != nil {
						t.Error(err)
					}
				}
				synctest.Wait()
				if s := k.Stats(); s.Connects != 1 || s.Acked != 3 || server.exchanges.Load() != 4 {
					t.Errorf("%+v, %d exchanges", s, server.exchanges.Load())
				}
				b.Cut()
				k.await(t, Disconnected)
				if err := k.Reauthenticate(t.Context()); err != nil {
					t.Errorf("while offline: %v", err)
				}
				k.await(t, Connected)
				if server.exchanges.Load() != 5 {
					t.Errorf("%d exchanges", server.exchanges.Load())
				}
				b.Behave(func(*mqtttest.Behavior) { server.password = "changed" })
				if err := k.Reauthenticate(t.Context()); reasonCode(err) != packet.NotAuthorized {
					t.Errorf("refused: %v", err)
				}
				if e := k.await(t, Disconnected); reasonCode(e.Err) != packet.NotAuthorized {
					t.Error(e.Err)
				}
				if e := k.await(t, Disconnected); reasonCode(e.Err) != packet.NotAuthorized || e.Retry < time.Minute {
					t.Errorf("%v, again after %v", e.Err, e.Retry)
				}
				wantList(t, "violations", b.Violations())
				k.close(t, false)
			})
		})
	}
}

// TestUnprovenBroker checks that a broker that does not know the password is left, at connecting
// and later.
func TestUnprovenBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &scramServer{password: "pencil", lie: true}
		b := mqtttest.New(mqtttest.Behavior{Authenticate: server.authenticate})
		defer b.Close()
		cfg := connectTo(b)
		cfg.Authenticator = SCRAMSHA256(alice)
		k := start(t, cfg)
		if e := k.await(t, Disconnected); e.Err == nil || !strings.Contains(e.Err.Error(), "does not know the password") {
			t.Error(e.Err)
		}
		b.Behave(func(*mqtttest.Behavior) { server.lie = false })
		k.await(t, Connected)
		b.Behave(func(*mqtttest.Behavior) { server.lie = true })
		if err := k.Reauthenticate(t.Context()); err == nil || !strings.Contains(err.Error(), "does not know the password") {
			t.Error(err)
		}
		k.await(t, Disconnected)
		synctest.Wait()
		if f := b.Disconnects(); len(f) != 2 || f[0].Code != packet.UnspecifiedError || f[1].Code != packet.UnspecifiedError { // [MQTT-4.12.1-2]
			t.Errorf("%+v", f)
		}
		k.close(t, false)
	})
}

// TestReauthenticateGivesUp checks what becomes of an exchange that its caller no longer waits for.
func TestReauthenticateGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &scramServer{password: "pencil"}
		b := mqtttest.New(mqtttest.Behavior{Authenticate: server.authenticate})
		defer b.Close()
		cfg := connectTo(b)
		cfg.Authenticator = SCRAMSHA256(alice)
		k := start(t, cfg)
		k.await(t, Connected)
		b.Behave(func(h *mqtttest.Behavior) { h.Deaf = true })
		b.Send((&packet.Ping{Type: packet.PINGRESP}).Append(nil))
		_ = k.Send(&Message{Topic: "t"}, nil) // read; from now on nothing is
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := k.Reauthenticate(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if e := k.await(t, Disconnected); !errors.Is(e.Err, context.DeadlineExceeded) {
			t.Error(e.Err)
		}
		k.close(t, false)

		k = start(t, Config{URLs: []string{"mqtt://test"}, Dial: b.Dial, ClientID: "plain"})
		if err := k.Reauthenticate(t.Context()); !errors.Is(err, ErrInvalid) { // [MQTT-4.12.0-7]
			t.Error(err)
		}
		k.close(t, false)
	})
}

// TestAuthMistakes checks with which code the client leaves a broker that breaks the rules of
// authentication.
func TestAuthMistakes(t *testing.T) {
	auth := func(code packet.ReasonCode, method string) []byte {
		p := packet.Auth{Code: code, Properties: packet.Properties{AuthenticationMethod: method, Present: packet.Props(packet.PropAuthenticationMethod)}}
		return p.Append(nil)
	}
	connack := func(method string) []byte {
		p := packet.Connack{Properties: packet.Properties{AuthenticationMethod: method, Present: packet.Props(packet.PropAuthenticationMethod)}}
		return p.Append(nil)
	}
	const scram = "SCRAM-SHA-256"
	for _, v := range []struct {
		name   string
		method bool // the client has one
		raw    []byte
		code   packet.ReasonCode
	}{
		{"AUTH without a method in CONNECT", false, auth(packet.ContinueAuthentication, scram), packet.ProtocolError}, // [MQTT-4.12.0-6]
		{"CONNACK with a method that was not asked for", false, connack(scram), packet.ProtocolError},
		{"AUTH with another method", true, auth(packet.ContinueAuthentication, "PLAIN"), packet.ProtocolError}, // [MQTT-4.12.0-5]
		{"AUTH without a method", true, []byte{0xf0, 2, 0x18, 0}, packet.ProtocolError},
		{"AUTH with success before CONNACK", true, auth(packet.Success, scram), packet.ProtocolError}, // [MQTT-4.12.0-2]
		{"AUTH with re-authentication", true, auth(packet.Reauthenticate, scram), packet.ProtocolError},
		{"AUTH with flags", true, []byte{0xf1, 0}, packet.MalformedPacket},                  // [MQTT-3.15.1-1]
		{"AUTH with an unknown code", true, []byte{0xf0, 2, 0x01, 0}, packet.ProtocolError}, // [MQTT-3.15.2-1]
		{"CONNACK with another method", true, connack("PLAIN"), packet.ProtocolError},       // [MQTT-4.12.0-5]
		{"CONNACK without a method", true, []byte{0x20, 3, 0, 0, 0}, packet.ProtocolError},  // [MQTT-4.12.0-5]
		// the method's rule
		{"CONNACK before the exchange is over", true, connack(scram), packet.UnspecifiedError},
		{"challenge that is none", true, auth(packet.ContinueAuthentication, scram), packet.UnspecifiedError}, // the method's rule
	} {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mqtttest.New(mqtttest.Behavior{Mute: true})
				defer b.Close()
				cfg := connectTo(b)
				if v.method {
					cfg.Authenticator = SCRAMSHA256(alice)
				}
				k := start(t, cfg)
				k.await(t, Connecting)
				synctest.Wait()
				b.Send(v.raw)
				if e := k.await(t, Disconnected); leaveCode(e.Err) != v.code {
					t.Error(e.Err)
				}
				k.close(t, false)
			})
		})
	}
	t.Run("AUTH after CONNACK", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			server := &scramServer{password: "pencil"}
			b := mqtttest.New(mqtttest.Behavior{Authenticate: server.authenticate})
			defer b.Close()
			cfg := connectTo(b)
			cfg.Authenticator = SCRAMSHA256(alice)
			k := start(t, cfg)
			k.await(t, Connected)
			b.Send(auth(packet.ContinueAuthentication, scram))
			if e := k.await(t, Disconnected); leaveCode(e.Err) != packet.ProtocolError {
				t.Error(e.Err)
			}
			k.close(t, false)
		})
	})
}

package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
)

// TestALPN offers protocols to servers of crypto/tls: what they do not choose is said, with what to
// do.
func TestALPN(t *testing.T) {
	pair := newCertificate(t, t.TempDir(), "server", nil)
	cert, err := tls.LoadX509KeyPair(pair.cert, pair.key)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct {
		name           string
		offers, speaks []string
		ok             bool
	}{
		{"chosen", []string{"x-amzn-mqtt-ca"}, []string{"http/1.1", "x-amzn-mqtt-ca"}, true},
		{"one of two", []string{"other", "mqtt"}, []string{"mqtt"}, true},
		{"not offered", nil, []string{"mqtt"}, true},
		{"none", []string{"mqtt"}, nil, false},
		{"alert", []string{"mqtt"}, []string{"http/1.1", "h2"}, false},
	} {
		t.Run(v.name, func(t *testing.T) {
			b := mqtttest.New(mqtttest.Behavior{})
			defer b.Close()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			b.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: v.speaks}))
			k := start(t, Config{URLs: []string{"mqtts://" + l.Addr().String()}, Backoff: Backoff{Min: time.Hour, Max: time.Hour},
				TLS: func(context.Context) (*tls.Config, error) {
					return &tls.Config{InsecureSkipVerify: true, NextProtos: v.offers}, nil
				}})
			if v.ok {
				k.await(t, Connected)
			} else {
				e := k.await(t, Disconnected)
				d := Diagnose(e.Err)
				if !errors.Is(e.Err, ErrALPN) || !strings.Contains(e.Err.Error(), `["mqtt"]`) || !d.Permanent || !strings.Contains(d.Remedy, "the ALPN protocols") {
					t.Errorf("%v: %+v", e.Err, d)
				}
			}
			k.close(t, false)
		})
	}
}

// TestMosquittoALPN: mosquitto knows no ALPN, so that it chooses none.
func TestMosquittoALPN(t *testing.T) {
	dir := t.TempDir()
	server := newCertificate(t, dir, "server", nil)
	port := freePort(t)
	tcpMosquitto(t, "listener "+port+" 127.0.0.1\ncertfile "+server.cert+"\nkeyfile "+server.key+"\n")
	for _, offers := range [][]string{nil, {"mqtt"}} {
		k := start(t, Config{URLs: []string{"mqtts://127.0.0.1:" + port}, Backoff: Backoff{Min: time.Hour, Max: time.Hour},
			TLS: func(context.Context) (*tls.Config, error) {
				return &tls.Config{InsecureSkipVerify: true, NextProtos: offers}, nil
			}})
		if offers == nil {
			k.await(t, Connected)
		} else if e := k.await(t, Disconnected); !errors.Is(e.Err, ErrALPN) {
			t.Error(e.Err)
		}
		k.close(t, false)
	}
}

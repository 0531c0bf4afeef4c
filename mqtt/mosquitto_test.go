package mqtt

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

func TestMosquittoPublishSubscribe(t *testing.T) {
	u := tcpMosquitto(t, "")
	k := start(t, Config{URLs: []string{u}, ClientID: "both", Subscriptions: []Subscription{{Filter: "t/#", QoS: ExactlyOnce}}})
	e := k.await(t, Connected)
	if len(e.Negotiated.Granted) != 1 || e.Negotiated.Granted[0] != 2 || e.Negotiated.SessionPresent {
		t.Fatalf("negotiated %+v", e.Negotiated)
	}
	roundTrip(t, k)
	k.close(t, false)
}

// roundTrip sends a message of every QoS to t/# and receives it.
func roundTrip(t *testing.T, k *tester) {
	t.Helper()
	for q := AtMostOnce; q <= ExactlyOnce; q++ {
		m := &Message{
			Topic: fmt.Sprintf("t/%d", q), Payload: []byte("hello"), QoS: q, Expiry: new(time.Hour), ContentType: "text/plain",
			ResponseTopic: "r/1", CorrelationData: []byte{0, 1}, UTF8: true,
			UserProperties: []UserProperty{{Key: "a", Value: "1"}, {Key: "a", Value: "2"}},
		}
		if a := k.publish(t, m); a.Code != 0 {
			t.Errorf("QoS %d: ack %v", q, a)
		}
		got := k.message(t)
		want := *m
		want.Expiry = got.Expiry
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", &want) || *got.Expiry < time.Hour-time.Minute {
			t.Errorf("want %+v\ngot  %+v", &want, got)
		}
	}
}

// TestMosquittoWill cuts a client off from its broker: the will is published.
func TestMosquittoWill(t *testing.T) {
	u := tcpMosquitto(t, "")
	watcher := start(t, Config{URLs: []string{u}, ClientID: "watcher", Subscriptions: []Subscription{{Filter: "status", QoS: 1}}})
	watcher.await(t, Connected)
	var victim net.Conn
	k := start(t, Config{
		URLs: []string{u}, ClientID: "victim", Backoff: Backoff{Min: time.Hour, Max: time.Hour},
		Will: func() *Will {
			return &Will{Message: Message{Topic: "status", Payload: []byte("lost"), QoS: 1, Retain: true}}
		},
		Dial: func(ctx context.Context, u *url.URL, c *tls.Config) (nc net.Conn, err error) {
			victim, err = Dialer{}.Dial(ctx, u, c)
			return victim, err
		},
	})
	k.await(t, Connected)
	victim.Close()
	if m := watcher.message(t); string(m.Payload) != "lost" {
		t.Errorf("%+v", m)
	}
}

// TestMosquittoResume sends through a proxy that cuts the connection again and again; every message
// arrives, with the session kept by the broker.
func TestMosquittoResume(t *testing.T) {
	u := tcpMosquitto(t, "max_queued_messages 0\n")
	sink := start(t, Config{URLs: []string{u}, ClientID: "sink", Subscriptions: []Subscription{{Filter: "t/#", QoS: ExactlyOnce}}})
	sink.await(t, Connected)
	k := start(t, Config{
		URLs: []string{u}, ClientID: "source", Backoff: Backoff{Min: time.Millisecond, Max: 5 * time.Millisecond},
		Dial: func(ctx context.Context, u *url.URL, c *tls.Config) (net.Conn, error) {
			nc, err := Dialer{}.Dial(ctx, u, c)
			if err != nil {
				return nil, err
			}
			return &fragile{Conn: nc, left: 20_000}, nil
		},
	})
	const n = 2000
	settled := make(chan error, n)
	for i := range n {
		m := &Message{Topic: fmt.Sprint("t/", i), QoS: QoS(1 + i%2), Payload: make([]byte, 100)}
		if err := k.Send(m, func(_ PublishResult, err error) { settled <- err }); err != nil {
			t.Fatal(err)
		}
	}
	for range n {
		if err := <-settled; err != nil {
			t.Fatal(err)
		}
	}
	count := make(map[string]int)
	for len(count) < n {
		m := sink.message(t)
		count[m.Topic]++
		if m.QoS == ExactlyOnce && count[m.Topic] > 1 {
			t.Errorf("%s came twice", m.Topic)
		}
	}
	s := k.Stats()
	if s.Reconnects < 5 || s.Retransmitted == 0 || s.Republished != 0 {
		t.Errorf("%+v", s)
	}
}

// A fragile connection breaks when so many bytes were written.
type fragile struct {
	net.Conn
	left int
}

func (f *fragile) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left < 0 {
		n, _ := f.Conn.Write(b[:max(len(b)+f.left, 0)])
		f.Close()
		return n, io.ErrClosedPipe
	}
	return f.Conn.Write(b)
}

// TestMosquittoOffline checks that the broker keeps messages for a client that is away, over a
// restart of the client.
func TestMosquittoOffline(t *testing.T) {
	u := tcpMosquitto(t, "")
	cfg := Config{URLs: []string{u}, ClientID: "sleeper", Session: new(memoryStore), Subscriptions: []Subscription{{Filter: "cmd/#", QoS: 1}}}
	k := start(t, cfg)
	k.await(t, Connected)
	k.close(t, true)
	other := start(t, Config{URLs: []string{u}, ClientID: "other"})
	other.publish(t, &Message{Topic: "cmd/1", QoS: 1})
	k = start(t, cfg)
	if e := k.await(t, Connected); !e.Negotiated.SessionPresent {
		t.Errorf("%+v", e)
	}
	if m := k.message(t); m.Topic != "cmd/1" {
		t.Errorf("%+v", m)
	}
	k.close(t, false)
}

func TestMosquittoUnix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	startMosquitto(t, "unix", path, "listener 0 "+path+"\n")
	k := start(t, Config{URLs: []string{"unix://" + path}, Subscriptions: []Subscription{{Filter: "t/#", QoS: ExactlyOnce}}})
	if e := k.await(t, Connected); e.Negotiated.AssignedClientID == "" {
		t.Errorf("%+v", e.Negotiated)
	}
	roundTrip(t, k)
	k.close(t, false)
}

// TestMosquittoTLS checks certificates both ways with a CA of its own, and that a broker with
// another one is refused.
func TestMosquittoTLS(t *testing.T) {
	dir := t.TempDir()
	ca := newCertificate(t, dir, "ca", nil)
	server := newCertificate(t, dir, "server", ca)
	client := newCertificate(t, dir, "client", ca)
	port := freePort(t)
	startMosquitto(t, "tcp", "127.0.0.1:"+port, fmt.Sprintf(
		"listener %s 127.0.0.1\ncafile %s\ncertfile %s\nkeyfile %s\nrequire_certificate true\n", port, ca.cert, server.cert, server.key))
	cfg := Config{
		URLs: []string{"mqtts://127.0.0.1:" + port}, ClientID: "tls", Subscriptions: []Subscription{{Filter: "t/#", QoS: ExactlyOnce}},
		TLS: func(context.Context) (*tls.Config, error) {
			pair, err := tls.LoadX509KeyPair(client.cert, client.key)
			roots := x509.NewCertPool()
			roots.AddCert(ca.parsed)
			return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}, err
		},
	}
	k := start(t, cfg)
	k.await(t, Connected)
	roundTrip(t, k)
	k.close(t, false)

	cfg.TLS = nil
	k = start(t, cfg)
	if e := k.await(t, Disconnected); e.Err == nil || !strings.Contains(e.Err.Error(), "unknown authority") {
		t.Error(e.Err)
	}
}

// A certificate is a pair of files made for a test.
type certificate struct {
	cert, key string
	parsed    *x509.Certificate
	private   *ecdsa.PrivateKey
}

// newCertificate makes a certificate for 127.0.0.1, signed by ca, or a CA if that is nil. change
// may make it a bad one.
func newCertificate(t *testing.T, dir, name string, ca *certificate, change ...func(*x509.Certificate)) *certificate {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	for _, f := range change {
		f(template)
	}
	parent, signer := template, key
	if ca == nil {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	} else {
		parent, signer = ca.parsed, ca.private
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	must(err)
	c := &certificate{cert: filepath.Join(dir, name+".pem"), key: filepath.Join(dir, name+".key"), private: key}
	c.parsed, err = x509.ParseCertificate(der)
	must(err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	must(os.WriteFile(c.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	must(os.WriteFile(c.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o644))
	return c
}

// TestMosquittoSizeLimit has a limit that the broker does not announce: the message is refused with
// 0x95, and the next one arrives on the same connection.
func TestMosquittoSizeLimit(t *testing.T) {
	u := tcpMosquitto(t, "message_size_limit 32768\n")
	k := start(t, Config{URLs: []string{u}, ClientID: "large"})
	k.await(t, Connected)
	_, err := k.Publish(t.Context(), &Message{Topic: "t", QoS: 1, Payload: make([]byte, 40_000)})
	if reasonCode(err) != packet.PacketTooLarge {
		t.Errorf("%v", err)
	}
	k.publish(t, &Message{Topic: "t", QoS: 1})
	if s := k.Stats(); s.Connects != 1 {
		t.Errorf("%+v", s)
	}
}

package rhythm_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/mqtt"
)

// TestHour is what an hour costs on average over three, ten sensors a minute with three fields
// each: bytes at the socket with TLS 1.3 but without TCP, seconds connected, and bytes that the
// store hands to the kernel. The hour after the start is left out. -v prints it.
func TestHour(t *testing.T) {
	const hours = 3
	for _, tt := range []struct {
		name    string
		setup   setup
		seconds float64 // connected, at most
	}{
		{"always, max_loss 1s", setup{online: -1}, 3600},
		{"every 15m, max_loss 1s", setup{}, 15},
		{"every 15m, max_loss 35m", setup{maxLoss: 35 * time.Minute}, 15},
		{"every 1h, max_loss 1s", setup{online: config.Online(time.Hour)}, 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWire(t)
				s := tt.setup
				s.sensors, s.client = 10, func(c *mqtt.Config) { c.Dial = w.dial }
				r := newRig(t, s)
				r.broker.Serve(w)
				r.tasks.Go(r.publishHealth)
				at := func() (bytes uint64, online time.Duration, card uint64, connects int) {
					synctest.Wait()
					r.mu.Lock()
					defer r.mu.Unlock()
					online = r.online
					if !r.connected.IsZero() {
						online += time.Since(r.connected)
					}
					return w.up.Load() + w.down.Load(), online, r.store.Stats().WrittenBytes, len(r.broker.Connects())
				}
				time.Sleep(time.Hour + 10*time.Minute)
				bytes, online, card, connects := at()
				time.Sleep(hours * time.Hour)
				bytes2, online2, card2, connects2 := at()
				seconds := (online2 - online).Seconds() / hours
				t.Logf("%s: %d bytes, %.1f s in %d connections, %d bytes to the card, an hour", tt.name, (bytes2-bytes)/hours, seconds, (connects2-connects)/hours, (card2-card)/hours)
				if seconds > tt.seconds {
					t.Errorf("%v s connected an hour, at most %v", seconds, tt.seconds)
				}
				if live, late := readings(r.take()); late > 0 || live < 10*60*hours {
					t.Errorf("%d live, %d late", live, late)
				}
				r.close()
			})
		})
	}
}

// publishHealth publishes what a gateway of so many sensors does: with each connection and every
// minute of one.
func (r *rig) publishHealth() {
	h := contract.Health{V: 1, Run: r.store.Run(), Store: r.store.ID(), Boot: 1, Version: "v1.0.0", State: "ok", Sensors: map[string]contract.SensorHealth{}}
	for i := range 10 {
		h.Sensors[fmt.Sprint("s", i)] = contract.SensorHealth{State: "ok", Since: 3600.1, Reads: 1000}
	}
	var last time.Time
	for connected := false; r.sleeps(time.Second); {
		r.mu.Lock()
		began := r.connected
		r.mu.Unlock()
		before := connected
		if connected = !began.IsZero(); !connected || before && time.Since(last) < time.Minute {
			continue
		}
		last = time.Now()
		h.TS, h.Up, h.Queue.Appended = contract.Time{Time: last}, r.Up().Seconds(), uint64(r.store.Stats().Appended)
		text, err := json.Marshal(h)
		if err != nil {
			r.t.Error(err)
		}
		r.uplink.Set(topics.Health(), text, nil)
	}
}

// sleeps waits and reports whether the rig goes on.
func (r *rig) sleeps(d time.Duration) bool {
	select {
	case <-r.ended:
		return false
	case <-time.After(d):
		return true
	}
}

// A wire carries the gateway's connections under TLS 1.3 and counts their bytes.
type wire struct {
	up, down atomic.Uint64
	client   *tls.Config
	server   *tls.Config
	accept   chan net.Conn
	closed   chan struct{}
}

// newWire makes a server with a certificate of an authority, both P-256, as a broker has them.
func newWire(t *testing.T) *wire {
	t.Helper()
	sign := func(template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) *x509.Certificate {
		template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(1), time.Now(), time.Now().Add(24*time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	rootKey, middleKey, leafKey := key(), key(), key()
	root := &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	rootCert := sign(root, root, rootKey, rootKey)
	middle := sign(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, rootCert, middleKey, rootKey)
	leaf := sign(&x509.Certificate{DNSNames: []string{"broker.example.com"}}, middle, leafKey, middleKey)
	roots := x509.NewCertPool()
	roots.AddCert(rootCert)
	return &wire{accept: make(chan net.Conn), closed: make(chan struct{}),
		client: &tls.Config{RootCAs: roots, ServerName: "broker.example.com", Time: time.Now},
		server: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw, middle.Raw}, PrivateKey: leafKey}}, SessionTicketsDisabled: true}}
}

// Accept implements net.Listener.
func (w *wire) Accept() (net.Conn, error) {
	select {
	case c := <-w.accept:
		return tls.Server(c, w.server), nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}
func (w *wire) Addr() net.Addr { return nil }
func (w *wire) Close() error   { close(w.closed); return nil }

func (w *wire) dial(ctx context.Context, _ *url.URL, _ *tls.Config) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case w.accept <- there:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	c := tls.Client(counted{here, w}, w.client)
	return c, c.HandshakeContext(ctx)
}

// counted counts the bytes of a connection.
type counted struct {
	net.Conn
	w *wire
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.w.down.Add(uint64(n))
	return n, err
}
func (c counted) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.w.up.Add(uint64(n))
	return n, err
}

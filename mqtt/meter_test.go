package mqtt

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
)

// A counter counts what a server's sockets receive and send.
type counter struct {
	net.Listener
	in, out atomic.Uint64
}

func (c *counter) Accept() (net.Conn, error) {
	nc, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &countedConn{nc, c}, nil
}

type countedConn struct {
	net.Conn
	c *counter
}

func (c *countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.c.in.Add(uint64(n))
	return n, err
}

func (c *countedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.c.out.Add(uint64(n))
	return n, err
}

// TestBytesAtTheSocket compares Stats with what the other end of the socket counts, TLS and proxy
// included.
func TestBytesAtTheSocket(t *testing.T) {
	dir := t.TempDir()
	pair := newCertificate(t, dir, "server", nil)
	cert, err := tls.LoadX509KeyPair(pair.cert, pair.key)
	if err != nil {
		t.Fatal(err)
	}
	listen := func() *counter {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return &counter{Listener: l}
	}
	for _, v := range []struct {
		name           string
		encrypted, via bool
		inMin, outMin  uint64
	}{
		{"plain", false, false, 5, 40},
		{"TLS", true, false, 700, 250}, // the certificate and the hellos
		{"proxy", false, true, 40, 100},
		{"TLS through a proxy", true, true, 740, 310},
	} {
		t.Run(v.name, func(t *testing.T) {
			b := mqtttest.New(mqtttest.Behavior{})
			defer b.Close()
			far := listen()
			scheme := "mqtt"
			if v.encrypted {
				scheme = "mqtts"
				b.Serve(tls.NewListener(far, &tls.Config{Certificates: []tls.Certificate{cert}}))
			} else {
				b.Serve(far)
			}
			address, d := far.Addr().String(), Dialer{}
			if v.via {
				far = listen()
				p := &proxy{t: t, listener: far, serve: httpProxy, asked: make(chan string, 1)}
				go func() { // ends with the listener
					if nc, err := p.listener.Accept(); err == nil {
						p.handle(nc)
					}
				}()
				defer far.Close()
				d.Proxy = func(*url.URL) (*url.URL, error) {
					return &url.URL{Scheme: "http", Host: far.Addr().String()}, nil
				}
			}
			k := start(t, Config{URLs: []string{scheme + "://" + address}, ClientID: "c", Dial: d.Dial,
				TLS: func(context.Context) (*tls.Config, error) { return &tls.Config{InsecureSkipVerify: true}, nil }})
			k.await(t, Connected)
			k.publish(t, &Message{Topic: "t", QoS: 1, Payload: make([]byte, 1000)})
			k.close(t, false)
			s := k.Stats()
			// What either side says last need not arrive, or be counted yet.
			if out, in := int64(s.BytesOut-far.in.Load()), int64(s.BytesIn-far.out.Load()); max(out, -out, in, -in) > 100 {
				t.Errorf("%d bytes out, %d in; the other end has %d and %d", s.BytesOut, s.BytesIn, far.in.Load(), far.out.Load())
			}
			if s.BytesIn < v.inMin || s.BytesOut < v.outMin+1000 {
				t.Errorf("only %d bytes in, %d out", s.BytesIn, s.BytesOut)
			}
		})
	}
}

// TestBytesOfFailedAttempts: a TLS handshake that fails costs its bytes, too.
func TestBytesOfFailedAttempts(t *testing.T) {
	pair := newCertificate(t, t.TempDir(), "server", nil)
	cert, err := tls.LoadX509KeyPair(pair.cert, pair.key)
	if err != nil {
		t.Fatal(err)
	}
	address := listenOn(t, func(nc net.Conn) {
		_ = tls.Server(nc, &tls.Config{Certificates: []tls.Certificate{cert}}).Handshake()
		nc.Close()
	})
	k := start(t, Config{URLs: []string{"mqtts://" + address}, Backoff: Backoff{Min: time.Hour, Max: time.Hour}})
	k.await(t, Disconnected)
	if s := k.Stats(); s.BytesOut < 200 || s.BytesIn < 500 {
		t.Errorf("%d bytes out, %d in", s.BytesOut, s.BytesIn)
	}
	k.close(t, false)
}

// TestBytesOfCustomDial: what a function of the user opens is counted where the client uses it.
func TestBytesOfCustomDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		var in, out atomic.Uint64
		cfg := connectTo(b)
		cfg.Dial = func(ctx context.Context, u *url.URL, c *tls.Config) (net.Conn, error) {
			nc, err := b.Dial(ctx, u, c)
			if err != nil {
				return nil, err
			}
			ours, relay := net.Pipe()
			go func() { n, _ := io.Copy(nc, relay); out.Add(uint64(n)); nc.Close() }()
			go func() { n, _ := io.Copy(relay, nc); in.Add(uint64(n)); relay.Close() }()
			return ours, nil
		}
		k := start(t, cfg)
		k.await(t, Connected)
		k.publish(t, &Message{Topic: "t", QoS: 1, Payload: make([]byte, 1000)})
		k.close(t, false)
		synctest.Wait()
		if s := k.Stats(); s.BytesOut != out.Load() || s.BytesIn != in.Load() || s.BytesOut < 1000 || s.BytesIn == 0 {
			t.Errorf("%d bytes out, %d in; the pipe carried %d and %d", s.BytesOut, s.BytesIn, out.Load(), in.Load())
		}
	})
}

package ws

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/fieldgate/fieldgate/mqtt"
	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

const patience = time.Minute

// A server is the broker's end of WebSocket connections.
type server struct {
	*httptest.Server
	u       *url.URL
	request chan *http.Request
	conns   chan *websocket.Conn
}

// startServer runs a server that knows the given sub-protocols, with TLS if that is asked for.
func startServer(t *testing.T, encrypted bool, subprotocols ...string) *server {
	t.Helper()
	s := &server{request: make(chan *http.Request, 10), conns: make(chan *websocket.Conn, 10)}
	upgrade := websocket.Upgrader{Subprotocols: subprotocols}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.request <- r
		if r.URL.Path != "/mqtt" {
			http.Error(w, "not here", http.StatusNotFound)
			return
		}
		if c, err := upgrade.Upgrade(w, r, nil); err == nil {
			s.conns <- c
		}
	})
	if encrypted {
		s.Server = httptest.NewTLSServer(handler)
	} else {
		s.Server = httptest.NewServer(handler)
	}
	t.Cleanup(s.Close)
	u, err := url.Parse("ws" + strings.TrimPrefix(s.URL, "http") + "/mqtt")
	if err != nil {
		t.Fatal(err)
	}
	s.u = u
	return s
}

// TestSubprotocol checks that the sub-protocol is offered, and that a server that does not choose
// it is left.
//
// [MQTT-6.0.0-3] [MQTT-6.0.0-4]
func TestSubprotocol(t *testing.T) {
	for _, v := range []struct {
		name         string
		subprotocols []string
		want         string
	}{
		{"chosen", []string{"other", "mqtt"}, ""},
		{"not chosen", nil, `sub-protocol ""`},
	} {
		t.Run(v.name, func(t *testing.T) {
			s := startServer(t, false, v.subprotocols...)
			nc, err := Dialer{}.Dial(t.Context(), s.u, nil)
			if err == nil {
				nc.Close()
			}
			if offered := (<-s.request).Header.Values("Sec-WebSocket-Protocol"); len(offered) != 1 || offered[0] != "mqtt" {
				t.Errorf("offered %q", offered)
			}
			if (err == nil) != (v.want == "") || err != nil && !strings.Contains(err.Error(), v.want) {
				t.Error(err)
			}
		})
	}
}

// TestFrames checks that bytes are the same whatever frames carry them, and that the client sends
// binary frames only.
//
// [MQTT-6.0.0-1] [MQTT-6.0.0-2]
func TestFrames(t *testing.T) {
	s := startServer(t, false, "mqtt")
	nc, err := Dialer{}.Dial(t.Context(), s.u, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	far := <-s.conns
	defer far.Close()
	var want []byte
	for i := range 2000 {
		want = append(want, byte(i), byte(i>>8))
	}
	for _, size := range []int{1, 2, 7, 1000, len(want)} {
		var writing sync.WaitGroup
		writing.Go(func() {
			for b := want; len(b) > 0; b = b[min(size, len(b)):] {
				_ = far.WriteMessage(websocket.BinaryMessage, b[:min(size, len(b))])
				if size == 7 {
					_ = far.WriteMessage(websocket.BinaryMessage, nil) // an empty one is no end
				}
			}
		})
		got := make([]byte, len(want))
		if _, err := io.ReadFull(nc, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("frames of %d bytes: other bytes, or %v", size, err)
		}
		writing.Wait()
	}
	for _, size := range []int{1, writeBuffer - 16, 100_000} {
		b := bytes.Repeat([]byte("x"), size)
		var writing sync.WaitGroup
		writing.Go(func() { _, _ = nc.Write(b) })
		kind, got, err := far.ReadMessage()
		writing.Wait()
		if err != nil || kind != websocket.BinaryMessage || !bytes.Equal(got, b) {
			t.Errorf("%d bytes came as frame type %d with %d bytes: %v", size, kind, len(got), err)
		}
	}
}

// TestOtherFrames checks that the connection ends with a data frame that is not binary, and in
// order with a close frame.
//
// [MQTT-6.0.0-1]
func TestOtherFrames(t *testing.T) {
	for _, v := range []struct {
		name string
		send func(*websocket.Conn) error
		want func(error) bool
		code int
	}{
		{"text", func(c *websocket.Conn) error { return c.WriteMessage(websocket.TextMessage, []byte("hello")) },
			func(err error) bool { return strings.Contains(err.Error(), "not binary") }, websocket.CloseUnsupportedData},
		{"close", func(c *websocket.Conn) error {
			return c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(patience))
		}, func(err error) bool { return err == io.EOF }, websocket.CloseNormalClosure},
		{"nothing more", func(c *websocket.Conn) error { return c.UnderlyingConn().Close() }, func(err error) bool { return err != nil }, 0},
	} {
		t.Run(v.name, func(t *testing.T) {
			s := startServer(t, false, "mqtt")
			nc, err := Dialer{}.Dial(t.Context(), s.u, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			far := <-s.conns
			defer far.Close()
			if err := v.send(far); err != nil {
				t.Fatal(err)
			}
			if _, err := nc.Read(make([]byte, 10)); err == nil || !v.want(err) {
				t.Error(err)
			}
			if v.code != 0 {
				if _, _, err := far.ReadMessage(); !websocket.IsCloseError(err, v.code) {
					t.Errorf("the server was told %v, want code %d", err, v.code)
				}
			}
		})
	}
}

// TestHandshakeErrors checks that failures say what happened and end with their context.
func TestHandshakeErrors(t *testing.T) {
	s := startServer(t, false, "mqtt")
	elsewhere := *s.u
	elsewhere.Path = "/"
	if _, err := (Dialer{}).Dial(t.Context(), &elsewhere, nil); err == nil || !strings.Contains(err.Error(), "404") {
		t.Error(err)
	}
	broken := errors.New("no token")
	d := Dialer{Header: func(context.Context) (http.Header, error) { return nil, broken }}
	if _, err := d.Dial(t.Context(), s.u, nil); !errors.Is(err, broken) {
		t.Error(err)
	}
	d.Header = func(context.Context) (http.Header, error) { return http.Header{"Authorization": {"Bearer x"}}, nil }
	nc, err := d.Dial(t.Context(), s.u, nil)
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	<-s.request
	if r := <-s.request; r.Header.Get("Authorization") != "Bearer x" {
		t.Errorf("%v", r.Header)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancelCause(t.Context()) // without a deadline
	go func() {
		if nc, err := l.Accept(); err == nil {
			_, _ = io.ReadFull(nc, make([]byte, 1))
			cancel(broken)
			_, _ = io.Copy(io.Discard, nc)
			nc.Close()
		}
	}()
	if _, err := (Dialer{}).Dial(ctx, &url.URL{Scheme: "ws", Host: l.Addr().String()}, nil); !errors.Is(err, broken) {
		t.Errorf("a server that says nothing: %v", err)
	}
}

// roundTrip connects a client, sends messages to itself and closes.
func roundTrip(t *testing.T, cfg mqtt.Config) {
	t.Helper()
	received := make(chan string, 10)
	events := make(chan mqtt.Event, 100)
	cfg.Subscriptions = []mqtt.Subscription{{Filter: "t/#", QoS: mqtt.ExactlyOnce}}
	cfg.Handler = func(_ context.Context, m *mqtt.Message) error {
		received <- fmt.Sprint(m.Topic, len(m.Payload))
		return nil
	}
	cfg.OnEvent = func(e mqtt.Event) { events <- e }
	c, err := mqtt.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	for connected := false; !connected; {
		select {
		case e := <-events:
			connected = e.Kind == mqtt.Connected
		case <-ctx.Done():
			t.Fatal("no connection")
		}
	}
	for i := range 6 {
		size := []int{0, 100, 40_000}[i%3]
		topic := fmt.Sprint("t/", i)
		if _, err := c.Publish(ctx, &mqtt.Message{Topic: topic, QoS: mqtt.QoS(i % 3), Payload: make([]byte, size)}); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-received:
			if want := fmt.Sprint(topic, size); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		case <-ctx.Done():
			t.Fatalf("no message on %s", topic)
		}
	}
	if s := c.Stats(); s.Connects != 1 {
		t.Errorf("%+v", s)
	}
	if err := c.Close(ctx, mqtt.Disconnect{}); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestClient runs the client over WebSocket and WSS against the broker for tests, mixed with URLs
// of other transports.
func TestClient(t *testing.T) {
	for _, encrypted := range []bool{false, true} {
		t.Run(map[bool]string{false: "ws", true: "wss"}[encrypted], func(t *testing.T) {
			b := mqtttest.New(mqtttest.Behavior{})
			defer b.Close()
			s := startServer(t, encrypted, "mqtt")
			go func() {
				for far := range s.conns {
					nc, err := b.Dial(t.Context(), nil, nil)
					if err != nil {
						return
					}
					near := &conn{Conn: far}
					go func() { _, _ = io.Copy(nc, near); nc.Close() }()
					go func() { _, _ = io.Copy(near, nc); near.Close() }()
				}
			}()
			roots := x509.NewCertPool()
			if encrypted {
				roots.AddCert(s.Certificate())
			}
			unused, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			unused.Close()
			roundTrip(t, mqtt.Config{
				URLs: []string{"mqtt://" + unused.Addr().String(), s.u.String()}, ClientID: "c", Dial: Dialer{}.Dial,
				TLS: func(context.Context) (*tls.Config, error) { return &tls.Config{RootCAs: roots}, nil },
			})
			close(s.conns)
			if f := b.Disconnects(); len(f) != 1 || f[0].Code != packet.NormalDisconnection {
				t.Errorf("%+v", f)
			}
			if v := b.Violations(); len(v) > 0 {
				t.Error(v)
			}
		})
	}
}

func TestMosquitto(t *testing.T) {
	program, err := exec.LookPath("mosquitto")
	if err != nil {
		program = "/usr/sbin/mosquitto"
		if _, err := os.Stat(program); err != nil {
			t.Skip("mosquitto is not installed")
		}
	}
	port := freePort(t)
	config := "allow_anonymous true\nlistener " + port + "\nprotocol websockets\n"
	if os.Geteuid() == 0 {
		config = "user root\n" + config
	}
	file := filepath.Join(t.TempDir(), "mosquitto.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-c", file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	u := &url.URL{Scheme: "ws", Host: "127.0.0.1:" + port, Path: "/mqtt"}
	for {
		nc, err := Dialer{}.Dial(t.Context(), u, nil)
		if err == nil {
			nc.Close()
			break
		}
		select {
		case <-ended:
			t.Skip("this mosquitto has no WebSocket")
		case <-time.After(10 * time.Millisecond):
		}
	}
	roundTrip(t, mqtt.Config{URLs: []string{u.String()}, ClientID: "c", Dial: Dialer{}.Dial})
}

func TestMochi(t *testing.T) {
	server := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := server.AddHook(new(open), nil); err != nil {
		t.Fatal(err)
	}
	l := listeners.NewWebsocket(listeners.Config{ID: "ws", Address: "127.0.0.1:" + freePort(t)})
	if err := server.AddListener(l); err != nil {
		t.Fatal(err)
	}
	if err := server.Serve(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	roundTrip(t, mqtt.Config{URLs: []string{"ws://" + l.Address()}, ClientID: "c", Dial: Dialer{}.Dial})
}

// open lets everybody in.
type open struct{ mochi.HookBase }

func (*open) Provides(b byte) bool {
	return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck
}
func (*open) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }
func (*open) OnACLCheck(*mochi.Client, string, bool) bool              { return true }

// freePort returns a TCP port of the loopback interface on which nothing listens.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

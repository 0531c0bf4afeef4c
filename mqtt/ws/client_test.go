package ws

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/fieldgate/fieldgate/mqtt"
	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

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
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
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

func (*open) OnACLCheck(*mochi.Client, string, bool) bool { return true }

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

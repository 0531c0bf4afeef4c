package ws_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/fieldgate/fieldgate/mqtt"
	"github.com/fieldgate/fieldgate/mqtt/packet"
	"github.com/fieldgate/fieldgate/mqtt/ws"
)

// testTimeout is how long a test waits for what must come.
const testTimeout = time.Minute

// serve runs a WebSocket server that chooses the given sub-protocol, and serves every connection
// with the function. It returns its URL and the sub-protocols that clients offered.
func serve(t *testing.T, subprotocol string, connection func(*websocket.Conn)) (u string, offered <-chan []string) {
	t.Helper()
	offers := make(chan []string, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		offers <- websocket.Subprotocols(r)
		up := websocket.Upgrader{}
		var header http.Header
		if subprotocol != "" {
			header = http.Header{"Sec-Websocket-Protocol": {subprotocol}}
		}
		c, err := up.Upgrade(w, r, header)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		connection(c)
	}))
	t.Cleanup(s.Close)
	return "ws" + strings.TrimPrefix(s.URL, "http") + "/mqtt", offers
}

// TestSubprotocol checks that mqtt is offered, and that a server that does not choose it is
// refused.
//
// [MQTT-6.0.0-3] [MQTT-6.0.0-4]
func TestSubprotocol(t *testing.T) {
	for _, v := range []struct {
		name, chosen string
		ok           bool
	}{
		{"mqtt", "mqtt", true},
		{"none", "", false},
		{"another", "mqttv3.1", false},
	} {
		t.Run(v.name, func(t *testing.T) {
			s, offered := serve(t, v.chosen, func(*websocket.Conn) {})
			u, err := url.Parse(s)
			if err != nil {
				t.Fatal(err)
			}
			nc, err := ws.Dialer{}.Dial(t.Context(), u, nil)
			if (err == nil) != v.ok {
				t.Errorf("dial: %v", err)
			}
			if err == nil {
				nc.Close()
			}
			if o := <-offered; len(o) != 1 || o[0] != "mqtt" {
				t.Errorf("offered %q", o)
			}
		})
	}
}

// run runs a client until the test ends. It returns its messages and the errors with which its
// connections ended.
func run(t *testing.T, u string) (messages <-chan string, ends <-chan error) {
	t.Helper()
	got, ended := make(chan string, 100), make(chan error, 100)
	c, err := mqtt.New(mqtt.Config{
		URLs: []string{u}, ClientID: "c", Dial: ws.Dialer{}.Dial,
		Handler: func(_ context.Context, m *mqtt.Message) error { got <- m.Topic; return nil },
		OnEvent: func(e mqtt.Event) {
			if e.Kind == mqtt.Disconnected {
				ended <- e.Err
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		_ = c.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-stopped
	})
	return got, ended
}

// TestFrames checks that the client sends binary frames only, and that packets may be cut into
// frames, and joined in one, at any byte.
//
// [MQTT-6.0.0-1] [MQTT-6.0.0-2]
func TestFrames(t *testing.T) {
	var stream []byte
	for _, p := range []packet.Packet{
		&packet.Connack{},
		&packet.Publish{Topic: "a", Payload: make([]byte, 300)},
		&packet.Publish{QoS: 1, ID: 1, Topic: "b"},
		&packet.Publish{QoS: 1, ID: 2, Topic: "c"},
	} {
		stream = p.Append(stream)
	}
	for _, size := range []int{1, 2, 3, 7, 100, len(stream)} {
		acks := make(chan []byte, 1)
		u, _ := serve(t, "mqtt", func(c *websocket.Conn) {
			next := func() []byte {
				kind, b, err := c.ReadMessage()
				if err == nil && kind != websocket.BinaryMessage {
					t.Errorf("frame of type %d", kind)
				}
				return b
			}
			next() // CONNECT
			// All of it comes at once: nothing may be lost between CONNACK and the next packets.
			for rest := stream; len(rest) > 0; {
				n := min(size, len(rest))
				if err := c.WriteMessage(websocket.BinaryMessage, rest[:n]); err != nil {
					return
				}
				rest = rest[n:]
			}
			var b []byte
			for len(b) < 8 {
				more := next()
				if more == nil {
					break
				}
				b = append(b, more...)
			}
			acks <- b
			next()
		})
		messages, _ := run(t, u)
		for _, want := range []string{"a", "b", "c"} {
			select {
			case got := <-messages:
				if got != want {
					t.Errorf("frames of %d bytes: %q, want %q", size, got, want)
				}
			case <-time.After(testTimeout):
				t.Fatalf("frames of %d bytes: no message", size)
			}
		}
		if b := <-acks; string(b) != "\x40\x02\x00\x01\x40\x02\x00\x02" {
			t.Errorf("frames of %d bytes: % x", size, b)
		}
	}
}

// TestTextFrame checks that the client leaves a server that sends a frame that is not binary.
//
// [MQTT-6.0.0-1]
func TestTextFrame(t *testing.T) {
	closed := make(chan error, 1)
	u, _ := serve(t, "mqtt", func(c *websocket.Conn) {
		_, _, _ = c.ReadMessage()
		_ = c.WriteMessage(websocket.TextMessage, (&packet.Connack{}).Append(nil))
		for {
			if _, _, err := c.ReadMessage(); err != nil {
				closed <- err
				return
			}
		}
	})
	_, ends := run(t, u)
	for _, wait := range []<-chan error{ends, closed} {
		select {
		case err := <-wait:
			if err == nil {
				t.Error("no error")
			}
		case <-time.After(testTimeout):
			t.Fatal("the connection did not end")
		}
	}
}

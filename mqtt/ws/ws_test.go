package ws

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

const testTimeout = time.Minute

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
			return c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(testTimeout))
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

package ws_test

import (
	"testing"

	"github.com/gorilla/websocket"

	"github.com/fieldgate/fieldgate/mqtt"
	"github.com/fieldgate/fieldgate/mqtt/packet"
	"github.com/fieldgate/fieldgate/mqtt/ws"
)

// TestBytesAtTheSocket checks that the client counts the HTTP handshake and the frames.
func TestBytesAtTheSocket(t *testing.T) {
	connects := make(chan int, 1)
	u, _ := serve(t, "mqtt", func(c *websocket.Conn) {
		_, b, err := c.ReadMessage()
		if err != nil {
			return
		}
		connects <- len(b)
		_ = c.WriteMessage(websocket.BinaryMessage, (&packet.Connack{}).Append(nil))
		_, _, _ = c.ReadMessage()
	})
	connected := make(chan struct{}, 1)
	c, err := mqtt.New(mqtt.Config{URLs: []string{u}, ClientID: "c", Dial: ws.Dialer{}.Dial, OnEvent: func(e mqtt.Event) {
		if e.Kind == mqtt.Connected {
			connected <- struct{}{}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- c.Run(t.Context()) }()
	<-connected
	s, connect := c.Stats(), <-connects
	const handshake = 150 // "GET /mqtt HTTP/1.1", Host, Upgrade, key, sub-protocol
	if s.BytesOut < uint64(connect+handshake) || s.BytesOut > uint64(connect+4*handshake) || s.BytesIn < handshake/2 {
		t.Errorf("%d bytes out with a CONNECT of %d, %d in", s.BytesOut, connect, s.BytesIn)
	}
	_ = c.Close(t.Context(), mqtt.Disconnect{})
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// Package ws carries MQTT over WebSocket and WSS (MQTT 5.0, 6), on github.com/gorilla/websocket.
//
//	client, err := mqtt.New(mqtt.Config{
//		URLs: []string{"wss://broker.example.com/mqtt"},
//		Dial: ws.Dialer{}.Dial,
//	})
//
// What may live here: the transport, as a mqtt.Config.Dial. What may not: anything that knows MQTT
// packets, and other transports.
package ws

// Package ws carries MQTT over WebSocket (MQTT 5.0, 6), with TLS or without. It uses
// github.com/gorilla/websocket.
//
//	client, err := mqtt.New(mqtt.Config{
//		URLs: []string{"wss://broker.example.com/mqtt"},
//		Dial: ws.Dialer{}.Dial,
//	})
package ws

// What belongs here: the transport, as a mqtt.Config.Dial. What does not: anything that knows MQTT
// packets, and other transports.

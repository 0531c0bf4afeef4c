// Package mqtttest is a small MQTT 5.0 broker in memory that misbehaves on request, for tests of
// the client and of its users.
//
// It keeps sessions, retained messages and wills, routes between its clients, and records what
// clients do wrong. It works over net.Pipe (Broker.Dial fits mqtt.Config.Dial, also in a
// testing/synctest bubble) and over listeners (Broker.Serve). It is not a broker for production:
// nothing is bounded and no client is refused unless told so.
package mqtttest

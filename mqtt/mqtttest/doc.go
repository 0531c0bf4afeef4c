// Package mqtttest is a small MQTT 5.0 broker in memory that misbehaves on request, for tests of
// the client and of programs that use it.
//
// It keeps sessions and wills for as long as the standard says, keeps retained messages, routes
// messages between its clients, and records what clients do wrong. It works over net.Pipe
// (Broker.Dial fits mqtt.Config.Dial, also in a testing/synctest bubble) and over listeners
// (Broker.Serve). It is not a broker for production: nothing is bounded, and it accepts every
// client unless told otherwise.
package mqtttest

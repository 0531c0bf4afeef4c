// Package mqtt is a client for MQTT 5.0. It needs the standard library only and knows nothing of gateways.
//
// A Client keeps one session with one broker over as many connections as it takes: New, Run in a goroutine, Send or Publish, and Close.
// Config says how; Config.Handler gets what the broker sends.
//
// # Promises
//
// A message that Send accepted has exactly one outcome. QoS 1 and 2 messages survive lost connections: with the session present they are
// sent again under the same identifier, with DUP, in their order and within the new Receive Maximum; where the broker lost the session they
// are published as new ones, in order and before newer ones. Nothing is repeated on a living connection. A message is
// never sent beyond the limits of the broker's CONNACK; it fails with a typed error, and others go on.
//
// Messages are kept in memory. Whoever must keep them over a restart keeps them until done was called with success.
//
// # Structure
//
// session is the protocol state as a plain value: identifiers, window, order. Client wraps it with a mutex. A conn has one goroutine that
// reads and one that writes: the writer pulls what may be sent, answers first, into one buffer and writes it at once. supervise connects again and
// again and reports events, inbox runs the handler, settler tells outcomes. No code of the user runs on the reader or the writer, and no
// mutex is held while it runs. Every queue is bounded: messages by MaxQueued, received ones by Receive Maximum, answers by maxControl.
//
// What may live here: what a client needs to speak MQTT 5.0 over a net.Conn. What may not: other transports than TCP, TLS and unix sockets
// (Config.Dial), storage (SessionStore), and anything about readings.
package mqtt

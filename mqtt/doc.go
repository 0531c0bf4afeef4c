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
// A received QoS 1 or 2 message is acknowledged when the handler, or Message.Ack, accepted it; a QoS 2 message is accepted once. Requests
// (Client.Request) get their answers past the handler.
//
// # After a restart
//
// A SessionStore keeps the facts with which a new process resumes the session: the broker's subscriptions and what it queued are not
// lost, and no QoS 2 message is accepted twice. A MessageStore, such as FileStore, also keeps the outbound messages that were sent and not
// acknowledged; then [MQTT-4.4.0-1], that a resumed session repeats them under their identifiers, holds over a restart too, and QoS 2 is exactly
// once. What was accepted and never sent is in memory only.
//
// Whoever has a queue of their own, in which a message stays until done was called with success, does without: a SessionStore
// that is no MessageStore. Then what was not acknowledged comes as new messages after a restart:
//
//   - With QoS 1 a message whose PUBACK was lost arrives twice, the second time without DUP.
//   - With QoS 2 the same may happen. Besides, a broker that waits for the PUBREL of the former process takes a new message with the same
//     identifier for the old one, and acknowledges it without passing it on. Whoever publishes with QoS 2 sets CleanStart, or
//     keeps the messages.
//
// # Errors
//
// Of a message: before it was queued ErrInvalid, ErrQueueFull or ErrClosed; not sent ErrExpired, ErrNotSupported, ErrTooLarge or ErrClosed;
// ended for good ErrPoison; in limbo ErrUncertain, also together with another one; refused a *ReasonError. IsPermanent tells whether trying again is likely to be of no
// use. Of a connection: see Event.Err; the client goes on by itself.
//
// # Brokers that cannot bear a packet
//
// Many brokers give their verdict on one message, filter or will by ending the connection. The client finds out which: a message at which
// the connection ends twice in a row, or once with a code that is about it, is ErrPoison and its session begun anew so that it is not
// repeated; a filter is left out (Negotiated.Granted); a will is reduced (Negotiated.Will); topic aliases are given up; a session with
// which three connections in a row come to nothing is begun anew. A merely bad link leads to none of these: the connection that decides begins
// with a ping and repeats one message at a time. Diagnose says what an error means and what to do.
//
// # Finding dead connections
//
// With the defaults, a broker that is gone is found after 45s of silence and 20s more (KeepAlive, then the answer to a ping), a machine that is gone
// while something is being written within 30s (Linux), a write of which no byte moves after 20s, and a broker that acknowledges nothing after
// 60s (AckTimeout), also where it answers pings. Bytes that come in put off the wait for the answer to a ping, since that may stand behind a large
// message on a slow link, but not beyond AckTimeout. A slow link is not taken for a dead one as long as bytes move.
//
// # Structure
//
// session is the protocol state as a plain value: identifiers, window, order. Client wraps it with a mutex. A conn has one goroutine that
// reads and one that writes: the writer pulls what may be sent, answers first, into one buffer and writes it at once. supervise connects again and
// again and reports events, inbox runs the handler, settler tells outcomes. No code of the user runs on the reader or the writer, and no
// mutex is held while it runs. An Authenticator runs on the supervisor, or on the goroutine that calls Reauthenticate. Every queue is bounded: messages
// and requests by MaxQueued, received ones by Receive Maximum, answers by maxControl.
//
// What may live here: what a client needs to speak MQTT 5.0 over a net.Conn, and the transports of the standard library: TCP, TLS, unix
// sockets, proxies. What may not: other transports (Config.Dial; mqtt/ws has WebSocket), storage of messages, and anything about
// readings.
package mqtt

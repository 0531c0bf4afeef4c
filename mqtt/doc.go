// Package mqtt is a client for MQTT 5.0. It needs only the standard library and knows nothing about
// gateways.
//
// A Client keeps one session with one broker, over as many connections as that takes: create it
// with New, call Run in a goroutine, use Send or Publish, and end it with Close. Config describes
// the client; Config.Handler receives what the broker sends.
//
// # Promises
//
// A message that Send accepted has exactly one outcome. QoS 1 and 2 messages survive lost
// connections. If the broker still has the session, they are sent again under the same identifier,
// with DUP, in their order and within the new Receive Maximum. If the broker lost the session, they
// are published as new messages, in order and before newer ones. Nothing is repeated on a living
// connection. A message is never sent beyond the limits of the broker's CONNACK: it fails with a
// typed error, and the others go on.
//
// A received QoS 1 or 2 message is acknowledged when the handler, or Message.Ack, has accepted it;
// a QoS 2 message is accepted once. The responses to requests (Client.Request) bypass the handler.
//
// # After a restart
//
// A SessionStore keeps the facts with which a new process resumes the session: the broker's
// subscriptions and what it queued are not lost, and no QoS 2 message is accepted twice. A
// MessageStore, such as FileStore, also keeps the outbound messages that were sent and not
// acknowledged. Then [MQTT-4.4.0-1], that a resumed session repeats them under their identifiers,
// holds over a restart too, and QoS 2 is exactly once. What was accepted and never sent is only in
// memory.
//
// A program with a queue of its own, in which a message stays until done reported success, does not
// need a MessageStore; a SessionStore is enough. Then what was not acknowledged is sent as new
// messages after a restart:
//
//   - With QoS 1 a message whose PUBACK was lost arrives twice, the second time without DUP.
//   - With QoS 2 the same may happen. In addition, a broker that is waiting for the PUBREL of the
//     former process takes a new message with the same identifier for the old one, and acknowledges
//     it without passing it on. A program that publishes with QoS 2 should set CleanStart or use a
//     MessageStore.
//
// # Errors
//
// The errors of a message are:
//
//   - before it is queued: ErrInvalid, ErrQueueFull, ErrClosed, or ErrTooLarge for a payload beyond
//     the limit of the protocol;
//   - queued, but not sent: ErrExpired, ErrNotSupported, ErrTooLarge or ErrClosed;
//   - sent, and given up for good: ErrRejectedByDisconnect;
//   - sent, with an unknown outcome: ErrUncertain, possibly together with another error;
//   - refused by the broker: a *ReasonError.
//
// IsPermanent reports whether trying again is likely to fail in the same way. The errors of a
// connection are in Event.Err; the client reconnects by itself.
//
// # Brokers that cannot handle a packet
//
// Many brokers reject one message, filter or will by closing the connection. The client finds out
// which one:
//
//   - A message at which the connection ends twice in a row, or once with a code that refers to it,
//     fails with ErrRejectedByDisconnect, and a new session is started so that the message is not
//     repeated.
//   - A filter is left out (Negotiated.Granted).
//   - A will is reduced (Negotiated.Will).
//   - Topic aliases are no longer used.
//   - If three connections in a row fail to resume a session, a new one is started.
//
// A bad link alone leads to none of these: the connection that decides starts with a ping and
// repeats one message at a time. Diagnose says what an error means and what to do.
//
// # Finding dead connections
//
// With the defaults, dead connections are found in the following times:
//
//   - a broker that is gone: after 45s of silence and 20s more (KeepAlive, then the answer to a
//     ping);
//   - a machine that is gone while something is being written: within 30s (Linux);
//   - a write of which no byte moves: after 20s;
//   - a broker that acknowledges nothing, even if it answers pings: after 60s (AckTimeout).
//
// Incoming bytes extend the wait for the answer to a ping, since it may be queued behind a large
// message on a slow link, but not beyond AckTimeout. A slow link is not taken for a dead one as
// long as bytes move.
//
// # Structure
//
// session is the protocol state as a plain value: identifiers, window, order. Client wraps it with
// a mutex. A conn has one goroutine that reads and one that writes: the writer pulls what may be
// sent, answers first, into one buffer and writes it at once. supervise reconnects and reports
// events, inbox runs the handler, settler reports outcomes. No code of the user runs on the reader
// or the writer, and no mutex is held while it runs. An Authenticator runs on the supervisor, or on
// the goroutine that calls Reauthenticate. Every queue is bounded: messages and requests by
// MaxQueued, received messages by Receive Maximum, answers by maxControl.
//
// What belongs here: what a client needs to speak MQTT 5.0 over a net.Conn, and the transports of
// the standard library: TCP, TLS, unix sockets, proxies. What does not: other transports
// (Config.Dial; mqtt/ws has WebSocket), queues of messages that were never sent, and anything about
// readings.
package mqtt

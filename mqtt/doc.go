// Package mqtt is a client for MQTT 5.0. It needs only the standard library and knows nothing about
// gateways.
//
// A Client keeps one session with one broker, over as many connections as that takes. Create it
// with New, call Run in a goroutine, publish with Send or Publish, and end it with Close. Config
// describes the client; Config.Handler receives the messages that the broker sends.
//
// References such as [MQTT-4.4.0-1] and 3.14.2.2.2 are the statements and sections of the MQTT 5.0
// standard. Codes such as 0x9C are its reason codes; package mqtt/packet has constants for them.
//
// # Delivery
//
// Outbound: every message that Send accepted has exactly one outcome. QoS 1 and 2 messages survive
// lost connections:
//
//   - If the broker still has the session, the client sends them again with the same packet
//     identifiers, with DUP, in order, and within the new Receive Maximum.
//   - If the broker lost the session, the client publishes them as new messages, in order and
//     before newer ones.
//
// On one connection the client never sends a message twice. It never exceeds the limits of the
// broker's CONNACK: a message that does so fails with ErrTooLarge or ErrNotSupported, and the
// others go on.
//
// Inbound: the client acknowledges a QoS 1 or 2 message when the handler has returned nil, or when
// Message.Ack was called. A QoS 2 message that was accepted in this way is not given to the handler
// again. The responses to requests (Client.Request) bypass the handler.
//
// # After a restart
//
// Without Config.Session, the session is in memory and is lost with the process. There are two
// kinds of store:
//
//   - A SessionStore keeps what a new process needs to resume the session. The broker then keeps
//     the subscriptions and the messages that it queued, and no inbound QoS 2 message is accepted
//     twice.
//   - A MessageStore, such as FileStore, also keeps the outbound QoS 1 and 2 messages that were
//     sent but not acknowledged. The standard requires a client that resumes a session to send
//     these again with the same packet identifiers [MQTT-4.4.0-1]. With a MessageStore the client
//     does so after a restart too, and QoS 2 is exactly once.
//
// Messages that were accepted but never sent are only in memory with either.
//
// A program that keeps each message in a queue of its own, until its done function reports success,
// does not need a MessageStore; a SessionStore is enough. After a restart, the program then sends
// what was not acknowledged as new messages:
//
//   - A QoS 1 message whose PUBACK was lost arrives twice, the second time without DUP.
//   - A QoS 2 message may arrive twice in the same way. It may also be lost: if the broker is still
//     waiting for the PUBREL of an old message, it mistakes a new message with the same packet
//     identifier for the old one, and acknowledges the new message without passing it on. A program
//     that publishes with QoS 2 should therefore set CleanStart or use a MessageStore.
//
// # Errors
//
// The errors of a message are:
//
//   - not queued: ErrInvalid, ErrQueueFull, ErrClosed, or ErrTooLarge if the payload exceeds the
//     limit of the protocol;
//   - queued, but not sent: ErrExpired, ErrNotSupported, ErrTooLarge or ErrClosed;
//   - sent in a session that the broker lost, and not possible to send again: ErrNotSupported or
//     ErrTooLarge;
//   - sent, and refused by the broker: a *ReasonError;
//   - sent, and given up because the broker ends the connection at it: ErrRejectedByDisconnect;
//   - sent, with an unknown outcome: ErrUncertain, possibly together with the error that kept the
//     client from finding out.
//
// Errors are wrapped: test them with errors.Is and errors.As. IsPermanent reports whether trying
// again is likely to fail in the same way. The errors of a connection are in Event.Err; the client
// reconnects by itself.
//
// # Brokers that cannot handle a packet
//
// Many brokers reject a message, a filter or a will by closing the connection. The client finds out
// which one it was, and stops sending it:
//
//   - A message fails with ErrRejectedByDisconnect if the connection ends at it twice in a row, or
//     once with a reason code that is about the message. The client then starts a new session, so
//     that the message is not sent again. What the old session still held at the broker is lost.
//   - A filter is left out of Config.Subscriptions for ten minutes (Negotiated.Granted).
//   - A will is sent without RETAIN, then with QoS 0, then not at all (Negotiated.Will).
//   - Topic aliases are no longer used.
//
// If three connections in a row fail to resume a session, the client starts a new one.
//
// A bad link alone leads to none of these. Before the client draws a conclusion, it makes a
// connection that begins with a ping and sends one message at a time. Diagnose explains an error
// and says what to do.
//
// # Finding dead connections
//
// With the defaults, the client finds a dead connection in the following times:
//
//   - the broker is gone: 45s of silence (3/4 of KeepAlive) and 20s more for the answer to a ping;
//   - the machine is gone while something is being written: 30s (Linux);
//   - a write moves no byte: 20s;
//   - the broker acknowledges nothing, even if it answers pings: 60s (AckTimeout);
//   - the broker has discarded a message and acknowledges later ones: likewise.
//
// The answer to a ping may be queued behind a large message on a slow link. Incoming bytes
// therefore extend the wait for it, but not beyond AckTimeout. A slow link is not mistaken for a
// dead one as long as bytes move.
//
// # Callbacks and goroutines
//
// The functions of the user run on goroutines of the client, each kind one call at a time.
// Different kinds may run at the same time:
//
//   - Config.Handler has a goroutine of its own.
//   - The done functions of Send have a goroutine of their own.
//   - Dial, TLS, Credentials, Will, Redirect, OnEvent and the Authenticator run on the goroutine
//     that connects. The Authenticator also runs on a goroutine that calls Reauthenticate.
//   - SessionStore and MessageStore say where they are called.
//
// None of them, except MessageStore.Record, delays reading and writing on a connection, and no lock
// is held while they run. A handler that is slow makes the client stop reading when too much is
// waiting (Config.ReceiveMaximum).
//
// Every queue is bounded: messages and requests by Config.MaxQueued, received messages by
// Config.ReceiveMaximum and Config.MaximumPacketSize.
package mqtt

// For maintainers: session is the protocol state as a plain value: identifiers, window, order.
// Client wraps it with a mutex. A conn has one goroutine that reads and one that writes. The writer
// pulls what may be sent, answers first, into one buffer and writes it at once. supervise
// reconnects and reports events, inbox runs the handler, settler reports outcomes. Answers that
// wait to be written are bounded by maxControl.
//
// What belongs here: what a client needs to speak MQTT 5.0 over a net.Conn, and the transports of
// the standard library: TCP, TLS, unix sockets, proxies. What does not: other transports
// (Config.Dial; mqtt/ws has WebSocket), queues of messages that were never sent, and anything about
// readings.

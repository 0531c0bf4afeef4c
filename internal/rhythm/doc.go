// Package rhythm decides when a gateway that is not always online leaves the broker and when it
// comes again: mqtt.online = "every 15m".
//
// # A waking
//
// The first connection after a start comes at once. On each, the gateway sends what waits: events,
// live readings, backlog, retained documents. That has no limit of time while something is
// acknowledged: to leave with a backlog would only add the cost of another connection. Once all of
// it is acknowledged the gateway stays until nothing has arrived for quiet and no command runs, so
// that a command that waited in the session is answered on the same connection, and so is one that
// is sent because of its answer. Then the lanes rest, P/status says "sleeping" and until when, and
// after its PUBACK the gateway leaves. What arrives before that makes it stay.
//
// Two things end the waiting before it is over, each after patience, which is half of the period
// and at most patienceMax: if nothing is acknowledged for so long, and if commands keep arriving
// for so long after everything was sent. What is left waits for the next waking.
//
// # The times
//
// Connections come at whole multiples of the period by the wall clock, as readings do; by the time
// since power-up while the clock is not known. Multiples that pass during a connection are skipped,
// and so is one that is nearer than a tenth of the period when the gateway leaves. At a waking the
// client connects with its own back-off, as after any interruption.
//
// # Late or live
//
// A connection that comes before the gateway is called lost (config.WillDelay) continues the one
// that it left in order: what was taken meanwhile is live. After anything else it is backlog.
package rhythm

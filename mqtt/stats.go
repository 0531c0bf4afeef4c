package mqtt

import "time"

// Stats is a snapshot of a client. Connected, Queued, InFlight and OldestInFlight describe this
// moment; the others count since New. Messages are outbound unless the comment says received.
//
// BytesIn and BytesOut are what goes over the sockets of Dialer and of package ws, also in attempts
// that fail: MQTT, WebSocket framing, TLS and the exchange with a proxy, without the headers of TCP
// and IP. If Config.Dial opens connections in another way, they count what the client reads from
// and writes to the connection that it returns.
type Stats struct {
	Connected      bool          // as reported by Connected events
	Queued         int           // messages accepted that have no outcome yet, those in flight included
	InFlight       int           // QoS 1 and 2 messages sent that have no outcome yet
	OldestInFlight time.Duration // time since the first transmission of the oldest of them; 0 if there is none
	Published      uint64        // PUBLISH packets written, retransmissions included
	Acked          uint64        // messages that succeeded; QoS 0 messages when they were written
	Refused        uint64        // messages that the broker refused
	Failed         uint64        // messages that failed with another error
	Retransmitted  uint64        // PUBLISH packets written with DUP
	Republished    uint64        // messages sent as new ones because the session was lost
	Received       uint64        // received messages that the handler accepted
	Dropped        uint64        // received QoS 0 messages that were discarded because too many were waiting for the handler
	Connects       uint64        // connections that the broker accepted
	Reconnects     uint64        // the same without the first
	BytesIn        uint64        // bytes received over the sockets
	BytesOut       uint64        // bytes sent over the sockets
	Writes         uint64        // writes to the connection; one may carry many packets
}

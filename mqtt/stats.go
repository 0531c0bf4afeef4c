package mqtt

import "time"

// Stats is a snapshot of a client's counters since New.
type Stats struct {
	Connected      bool
	Queued         int           // messages accepted and not yet settled, those in flight included
	InFlight       int           // QoS 1 and 2 messages sent and not yet settled
	OldestInFlight time.Duration // time since the first transmission of the oldest of them
	Published      uint64        // PUBLISH packets written, retransmissions included
	Acked          uint64        // messages settled with success
	Refused        uint64        // messages that the broker refused
	Failed         uint64        // messages settled with another error
	Retransmitted  uint64        // PUBLISH packets written with DUP 1
	Republished    uint64        // messages sent as new ones because the session was lost
	Received       uint64        // messages given to the handler
	Dropped        uint64        // received QoS 0 messages that were discarded because the handler's queue was full
	Connects       uint64        // accepted connections
	Reconnects     uint64        // accepted connections except the first
	BytesIn        uint64
	BytesOut       uint64
	Writes         uint64 // writes to the network
}

// Package uplink carries what the store holds to the broker: it decides what goes next, renders it,
// and tells the store what became of it. It has the queue on one side and the MQTT client on the
// other and knows neither the network nor SQL.
//
// # Lanes
//
// There are three: events (events and replies to commands), live readings, and the backlog, oldest
// first. A reading is live if it was taken after the connection came up, or after the last one was
// left in order; everything that waited out an outage is backlog and goes to the sensor's late
// topic. Of the window, which is what the broker lets us leave unacknowledged, one slot is kept for
// events and one for the backlog, and a live reading that was passed over often enough goes before
// events, so that no lane starves another. The backlog's bytes in flight, and the size of its
// messages, are bounded by what adds about a quarter of a second to the round trip (pacer), so that
// live readings stay live on a thin line. What the client may not send yet because of a rate goes
// by the same order (Message.Priority). Retained documents (status, shadow, descriptions, the
// newest reading of each sensor) stand beside the lanes: of each topic only the newest text waits.
// So do the requests of a platform's dialect, which are not retained and are sent once (Publish).
//
// A format may need the time of a reading. Then nothing is sent before the time of the running
// kernel is known. Readings of an earlier one whose time was never learned go to a topic of their
// own, in JSON.
//
// If a gateway sleeps between its connections, what was taken since it left in order is live
// (Link.Continues). CatchUp and Rest say when it may leave.
//
// # From take to acknowledgement
//
// Records are taken from the store a lane at a time and assembled to groups: readings of one sensor
// and run, from as many segments of the store as a message holds, or one event (stage.go). A group
// that is full is staged; one of the backlog that is not full when nothing more is to be had; one
// of live readings when they have lingered for as long as their sensor may. A group becomes one
// PUBLISH, compressed if that makes it smaller. From then on the client owns it: over reconnections
// it resends the same bytes. When the PUBACK was processed the store forgets the records. Groups
// that are still staged when the connection is lost go back to the store.
//
// # Verdicts
//
// What the broker says is a verdict on one message, on a topic or on a size, and never taken for
// another of these (verdict.go). 0x10 (nobody subscribed) is a delivery, unless the configuration
// says hold; readings that nobody got stand in the loss ledger. A loss event that nobody got is
// reported again, or else nobody would learn of them (unrouted.go).
//
// A message that is wrong in itself (0x99) is halved until the culprit is alone, which is buried in
// the store's dead letters; a few in a row say that it is not the readings, and pause the topic.
// Every other refusal is taken for a state of the broker or its access list: the topic pauses, also
// over reconnections, its groups are held, and one of them is tried again with growing delay until
// it passes (refusal.go). Of readings only some to probe with are held here: the store passes over
// the rest, so that no topic keeps another waiting (withhold.go). Events of the ledger are never
// buried: a loss event is divided by its ranges, and what still does not pass is held. Documents
// have gates of their own (gates.go). The reply to a command is not worth that: its topic is the
// asker's, and it is buried at once.
//
// Messages are built to fit what the broker announced and what is known of limits that it does not
// announce (size.go). A broker that closes the connection may mean either: one reading alone is
// sent then, which distinguishes the topic from the size.
package uplink

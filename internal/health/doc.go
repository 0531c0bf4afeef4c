// Package health makes one snapshot of the gateway's state and gives it every form in which it is
// reported: the document of P/health, systemd's status line, the metrics page, and the sentences of
// `fieldgate status` and the status page. It is the same snapshot for everyone who asks.
//
// The parts give their figures; nothing here asks hardware or the network.
package health

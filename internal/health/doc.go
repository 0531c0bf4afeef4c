// Package health makes one snapshot of how the gateway does and gives it every form in which it is told: the document of
// P/health, systemd's status line, the metrics page. Whoever asks, it is the same snapshot.
//
// The parts give their figures; nothing here asks hardware or the network.
package health

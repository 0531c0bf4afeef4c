// Package gateway connects the parts: it is the only package that knows both the store and the MQTT
// client. What it adds is the order of start and stop, the adapters between packages that do not
// know each other, and nothing that decides: decisions live in the packages that it wires.
//
// # Start
//
// The store is opened and has committed the row of this run with its boot event, in one
// transaction, or goes on in RAM if its file cannot be opened now; the shadow puts settings in
// force; interrupted commands are answered; the sockets are opened; then everything runs. Readiness
// does not wait for the broker: a gateway without a link does its work.
//
// # Stop
//
// In order: sensors and commands stop, and nothing more is taken in; losses that were not reported
// yet are published; the lanes end; "offline" is published and its PUBACK awaited for a moment;
// DISCONNECT with 0x00 if it came, else 0x04, so that the broker sends the will; what was
// acknowledged meanwhile is settled; the store is closed, which commits the front and records a
// clean end.
//
// A restart, and a reload that stays the same gateway at the same broker, publish neither losses
// nor "offline" and leave the retained "online" in place: the next birth comes at once.
//
// # Goroutines
//
// Run starts one for every part and waits for all of them: the client, the uplink, the commands,
// each sensor, the housekeeper, the platform's dialect, the control socket, the metrics page, the
// status page. The first error stops the others.
package gateway

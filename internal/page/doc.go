// Package page serves the status page: what somebody who stands before the board with a phone wants
// to see. It asks the gateway through View and changes nothing in it.
//
// # Cost
//
// While nobody looks there is only the history: the last hour of each field, the last day of the
// link, the last losses, all in memory and bounded. A snapshot is taken at most once a second for
// all viewers. What they see is rendered in parts, and only parts that changed are sent, by
// server-sent events. A viewer that does not read misses nothing but time: it gets the newest
// parts, or is dropped.
//
// # Who sees what
//
// A page that listens on a loopback address shows the state to this machine's users. The log, the
// configuration and the diagnostics need the password there too; a page for the network shows
// nothing without it. Requests must name a host that the page answers to, so that a name that is
// made to point at this machine sees nothing (DNS rebinding), and must not come from another site.
package page

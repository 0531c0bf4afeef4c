// Package packet encodes and decodes the control packets of MQTT 5.0, for both ends of a
// connection.
//
// It knows the form of packets, not their meaning in a session: lengths, strings, flags, which
// property and which reason code belongs in which packet. What depends on the direction, on the
// session or on limits is the caller's. It does no I/O: a caller reads a header with DecodeHeader,
// decides whether it wants the body, and decodes that when it is complete.
//
// Encoding appends to a slice of the caller and allocates nothing else. Decoding is strict: what
// the standard calls malformed, or a protocol error that can be seen in a single packet, is an
// *Error with the reason code to leave with.
package packet

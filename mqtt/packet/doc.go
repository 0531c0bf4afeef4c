// Package packet encodes and decodes the control packets of MQTT 5.0, for both ends of a
// connection.
//
// It checks the form of packets: lengths, strings, flags, and which property and which reason code
// may be in which packet. What depends on the direction, on the session or on limits is left to the
// caller. It does no I/O: a caller reads a header with DecodeHeader, decides whether it wants the
// body, and decodes that when it is complete.
//
// Encoding appends to a slice of the caller and allocates nothing else. It does not check the
// packet. Decoding is strict: for what the standard calls malformed, and for a protocol error that
// a single packet shows, it returns an *Error with the reason code for the DISCONNECT.
package packet

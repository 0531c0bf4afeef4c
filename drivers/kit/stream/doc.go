// Package stream is what drivers of devices at the other end of a serial line, or of a connection,
// have in common: reading under a context, finding the newest of what a device sends by itself,
// asking and waiting for an answer, and telling silence from the garbage of a wrong baud rate. What
// the bytes mean is up to the drivers: they pass a function that is given what arrives and reports
// when it has enough.
package stream

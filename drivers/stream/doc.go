// Package stream is what drivers of devices at the other end of a serial line, or of a connection, have in common: reading under a
// context, finding the newest of what a device says by itself, asking and waiting for an answer, and telling silence from the
// garbage of a wrong baud rate. What the bytes mean is the drivers' affair: they give a function that is handed what comes and tells
// when it was enough.
package stream

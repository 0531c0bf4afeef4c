// Package nmea is the driver of GNSS receivers (GPS, GLONASS, Galileo, BeiDou) that speak NMEA 0183
// on a serial port, which nearly all do. Sentences are read with github.com/adrianmo/go-nmea.
//
// A receiver describes one moment, an epoch, in several sentences: RMC, GGA, GNS, GLL and ZDA carry
// its time, VTG and GSA belong to the time before them. A reading is one epoch. It is complete when
// all sentences of the previous epoch have arrived again, or otherwise when the time changes; the
// first epoch is complete when the receiver pauses. Talkers (GP, GN, GL, GA, BD …) do not matter.
// Anything that is not a sentence with a correct checksum is skipped: binary messages that some
// receivers mix in, and the torn sentence at the opening of the port.
//
// Without a fix the position is Bad ("no fix") and `fix` is "none"; that is not an error, for the
// receiver works. An altitude without a three-dimensional fix is an old one, and therefore Bad too.
// If sentences of one moment give different positions, that of GGA or GNS counts.
//
// # Data sheet
//
// NMEA 0183 and the receiver's protocol description.
//
// # Wiring
//
// TX of the receiver to RX of the port, ground, and supply as its maker says; most USB receivers
// appear as /dev/ttyACM0. The antenna needs a view of the sky.
//
// # Range
//
// Latitude and longitude in degrees of WGS 84, altitude in metres above mean sea level, speed in
// m/s; a good receiver is accurate within 3 m.
//
// # Sources of error
//
// Without a fix the position is Bad ("no fix") and fix is "none"; that is not an error, for the
// receiver works. The first fix takes up to a minute after power-up, and indoors there may never be
// one. "bytes came but no sentence": wrong baud rate; common ones are 4800, 9600, 38400 or 115200.
// If gpsd has the port open, stop it.
//
// The time is Bad ("not measured") without a fix, even if the receiver's own clock runs, and if its
// date does not exist or is before 2026: receivers begin with 1980, and old ones are 1024 weeks
// (19.6 years) behind since the last rollover of GPS's week number. Only its maker's firmware mends
// the latter; position and speed are right all the same.
package nmea

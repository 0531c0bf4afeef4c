// Package nmea is the driver of GNSS receivers (GPS, GLONASS, Galileo, BeiDou) that speak NMEA 0183
// on a serial port, which nearly all do. Sentences are read with github.com/adrianmo/go-nmea.
//
// A receiver describes one moment, an epoch, in several sentences: RMC, GGA, GNS, GLL and ZDA carry
// its time, VTG and GSA belong to the time before them. A reading is one epoch. It is complete when
// all has come that came in the epoch before, or else when the time changes; the first one when the
// receiver pauses. Talkers (GP, GN, GL, GA, BD …) do not matter. What is not a sentence with a
// right checksum is passed over: binary messages of receivers that mix them in, and what was torn
// when the port was opened.
//
// Without a fix the position is Bad ("no fix") and `fix` is "none"; that is not an error, for the
// receiver works. An altitude without a three-dimensional fix is the last one, and so Bad too.
// Where sentences of one moment tell different places, the GGA's or GNS's counts.
//
// # Data sheet
//
// NMEA 0183 and the receiver's protocol description.
//
// # Wiring
//
// TX of the receiver to RX of the port, ground, and supply as its maker says; most USB receivers
// appear as /dev/ttyACM0. The antenna wants to see the sky.
//
// # Range
//
// Latitude and longitude in degrees of WGS 84, altitude in metres above mean sea level, speed in
// m/s; a good receiver is right within 3 m.
//
// # Sources of error
//
// Without a fix the position is Bad ("no fix") and fix is "none"; that is not an error, for the
// receiver works. The first fix takes up to a minute after power-up, indoors for ever. "bytes came
// but no sentence": the baud rate, often 4800, 9600, 38400 or 115200. gpsd that has the port open:
// stop it.
package nmea

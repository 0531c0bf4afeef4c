// Package pms5003 is the driver of the Plantower PMS5003 and PMS7003, which count particles in the air by laser. Source: the digital
// universal particle concentration sensor's data manuals, PMS5003 V2.3 and PMS7003 V2.5: appendix I (frames), II (commands).
//
// The sensor sends a frame about every second. For the 30 s after it was switched on or woken up its numbers are not to be trusted: they are Bad
// ("warming up"), since nobody can know whether the sensor was running before. Its laser lasts about a year of continuous use; with
// sleep = true it runs only for the readings, each of which then takes the warm-up and needs a timeout of at least 45s. Without
// a wire to the sensor's RX that does nothing, and all else works.
package pms5003

// Package pms5003 is the driver of the Plantower PMS5003 and PMS7003, which count particles in the
// air by laser. Of their relatives, the PMS3003 and the PMS5003ST are read too: a frame is read by
// the length that it gives. A PMS3003 counts no particles, and does not sleep when told; what a
// PMS5003ST has besides dust is not read.
//
// The sensor sends a frame about every second by itself. It cannot be known whether it was running
// before the driver was opened, so the first 30 s are treated like those after power-up.
//
// # Data sheet
//
// Plantower's data manuals PMS5003 V2.3 and PMS7003 V2.5: appendix I (frames), II (commands).
//
// # Wiring
//
// VCC to 5 V, GND; the sensor's TX to RX of the port; its RX to TX is needed only for sleep = true.
// Its signals have 3.3 V. Do not block its inlet and outlet.
//
// # Range
//
// 0 to 500 µg/m³, ±10 µg/m³ up to 100 and ±10 % above; particles from 0.3 µm.
//
// # Sources of error
//
// For 30 s after it was switched on or woken up its numbers are Bad ("warming up"). Its laser lasts
// about a year of continuous use; with sleep = true it runs only for the readings, each of which
// then takes the warm-up and needs a timeout of at least 45s. In fog and at high humidity droplets
// count as dust.
package pms5003

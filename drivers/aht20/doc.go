// Package aht20 is the driver of Aosong's AHT20, AHT21 and AHT25 (temperature, humidity).
//
// The chip must be initialised once after power-up, which the bit "calibrated" of its status shows.
// If that bit says that the power was lost, Read reports it and initialises the chip again at the
// next call. The chip sleeps between measurements.
//
// # Data sheet
//
// Aosong "AHT20 Product manuals", version 1.1; section numbers are its.
//
// # Wiring
//
// VDD 2.2 to 5.5 V, on a Raspberry Pi 3.3 V; GND, SDA, SCL. The address is always 0x38: one on a
// bus.
//
// # Range
//
// Accuracy ±0.3 °C; ±2 %RH from 20 to 80 %RH.
//
// # Sources of error
//
// It has no id. Its predecessors AHT10 and AHT15 have the same address and almost the same commands
// but send no checksum: all their readings fail here. A soldered module or an active neighbour
// warms the chip; long exposure to damp shifts the humidity by some percent.
package aht20

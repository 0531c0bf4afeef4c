// Package sht3x is the driver of Sensirion's SHT30, SHT31, SHT35 and SHT85 (temperature, humidity).
//
// Each Read starts one measurement of the best repeatability without clock stretching, which the
// Raspberry Pi's I2C controller cannot be trusted with, and asks for the result when the longest
// time has passed; until then the chip does not acknowledge. The chip sleeps in between and keeps
// no setting that it could lose with its power.
//
// # Data sheet
//
// Sensirion "SHT3x-DIS" of February 2019; section numbers are its.
//
// # Wiring
//
// VDD 2.15 to 5.5 V, on a Raspberry Pi 3.3 V; GND, SDA, SCL; pin ADDR to ground is address 0x44, to
// the supply 0x45. ALERT stays open.
//
// # Range
//
// Accuracy ±0.2 to 0.3 °C; ±2 to 3 %RH.
//
// # Sources of error
//
// It has no id: a status word with a correct checksum serves as one. The SHT4x has the same address
// and other commands. Because it acknowledges a reading only when it has measured, fieldgate scan
// does not see it without --identify. Long exposure to damp shifts the humidity by some percent;
// drying reverses that.
package sht3x

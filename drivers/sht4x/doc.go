// Package sht4x is the driver of Sensirion's SHT40, SHT41, SHT43 and SHT45 (temperature, humidity).
//
// Each Read starts one measurement of high precision; until it has ended the chip does not
// acknowledge. The chip sleeps in between and has no settings. The heater is never used.
//
// # Data sheet
//
// Sensirion "SHT4x".
//
// # Wiring
//
// VDD 1.08 to 3.6 V; GND, SDA, SCL. The address is the chip's order code: SHT4x-A is 0x44, -B 0x45,
// -C 0x46.
//
// # Range
//
// Accuracy ±0.1 to 0.2 °C; ±1 to 1.8 %RH.
//
// # Sources of error
//
// It has no id: a serial number with correct checksums serves as one. The SHT3x has the same
// address and other commands. Because it acknowledges a reading only when it has measured,
// fieldgate scan does not see it without --identify. Long exposure to damp shifts the humidity by
// some percent; drying reverses that.
package sht4x

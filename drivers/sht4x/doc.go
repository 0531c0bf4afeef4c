// Package sht4x is the driver of Sensirion's SHT40, SHT41, SHT43 and SHT45 (temperature, humidity), after the data sheet "SHT4x".
//
// Each Read starts one measurement of high precision; until it has ended the chip does not acknowledge. The chip sleeps in between and
// has no settings. It has no id: a serial number with the right checksums stands for one. The SHT3x has the same address and other
// commands. The heater is never used.
package sht4x

// Package bme280 is the driver of Bosch's BME280 (temperature, humidity, pressure) and BMP280 (without humidity), after the
// data sheets BST-BME280-DS002 and BST-BMP280-DS001; section numbers are those of the former.
//
// The chip sleeps between readings and each Read starts one measurement (forced mode): it warms itself least so, and one that lost its power
// in between needs no new set-up. What warmth remains, and that of the board it sits on, is corrected by the option
// temperature_offset, with the humidity that belongs to the corrected temperature.
//
// The chip has no checksums. What was not measured shows as a bit pattern of its own and is Bad, what the chip cannot measure is
// Bad or, where it is the temperature, from which the others are computed, an error.
package bme280

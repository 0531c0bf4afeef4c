// Package bme280 is the driver of Bosch's BME280 (temperature, humidity, pressure) and BMP280
// (without humidity).
//
// The chip sleeps between readings and each Read starts one measurement (forced mode): this way it
// warms itself least, and needs no new set-up after a loss of power.
//
// # Data sheet
//
// Bosch BST-BME280-DS002 and BST-BMP280-DS001; section numbers are those of the former.
//
// # Wiring
//
// VCC or VIN to 3.3 V (5 V only on modules with a regulator), GND, SDA, SCL; SDO to ground is
// address 0x76, to 3.3 V 0x77; CSB, if the module has it, to 3.3 V, which selects I2C.
//
// # Range
//
// Accuracy ±1 °C; ±100 Pa; ±3 %RH from 20 to 80 %RH.
//
// # Sources of error
//
// The chip warms itself and the board it sits on by 1 to 3 °C: temperature_offset corrects that,
// together with the humidity at the corrected temperature. Boards sold as BME280 often have a
// BMP280; the message says so. The chip has no checksums: a value that was not measured has a bit
// pattern of its own and is Bad. A value outside what the chip can measure is Bad or, if it is the
// temperature, from which the others are computed, an error.
package bme280

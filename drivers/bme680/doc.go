// Package bme680 is the driver of Bosch's BME680 and BME688 (temperature, humidity, pressure, gas
// resistance).
//
// The chip sleeps between readings and each Read starts one measurement, all of whose set-up is
// written with it: one that lost its power in between needs no new. For the gas it heats a metal
// oxide to heater_temperature for heater_duration and measures its resistance, which falls with the
// volatile organic compounds in the air. The heater's set point is computed from the target and
// from the temperature of the last reading.
//
// The formulas are those with floating-point numbers. They were compared with Bosch's own program
// (BME68x_SensorAPI 4.4.8), for one set of coefficients: the tests have its numbers.
//
// # Data sheet
//
// Bosch BST-BME680-DS001 and BST-BME688-DS000.
//
// # Wiring
//
// VCC or VIN to 3.3 V (5 V only on modules with a regulator), GND, SDA, SCL; SDO to ground is
// address 0x76, to 3.3 V 0x77; CSB, where a module has it, to 3.3 V.
//
// # Range
//
// Accuracy ±1 °C; ±100 Pa; ±3 %RH. The gas resistance is a number to compare with itself, usually
// some kΩ to some MΩ.
//
// # Sources of error
//
// A resistance is Bad if the chip says that the heater did not get there, as in the first readings
// after power-up; in the first days of its use it drifts. It is not an index of air quality: that
// is Bosch's secret, and what counts is the change. The heater warms the chip by about 1 °C when it
// is read every minute, and more when more often; temperature_offset corrects that, with the
// humidity that belongs to the corrected temperature; gas = false leaves the heater off. The chip
// has no checksums: what it cannot measure is Bad or, where it is the temperature, an error.
package bme680

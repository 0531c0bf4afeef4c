// Package bme680 is the driver of Bosch's BME680 and BME688 (temperature, humidity, pressure, gas
// resistance).
//
// The chip sleeps between readings and each Read starts one measurement, and all of the set-up is
// written with it: nothing else is needed after a loss of power. For the gas it heats a metal oxide
// to heater_temperature for heater_duration and measures its resistance, which falls with the
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
// address 0x76, to 3.3 V 0x77; CSB, if the module has it, to 3.3 V.
//
// # Range
//
// Accuracy ±1 °C; ±100 Pa; ±3 %RH. The gas resistance can only be compared with itself; it is
// usually some kΩ to some MΩ.
//
// # Sources of error
//
// A resistance is Bad if the chip says that the heater did not reach its temperature, as in the
// first readings after power-up; in the first days of use the resistance drifts. It is not an index
// of air quality: that calculation is Bosch's secret, and only the change counts. The heater warms
// the chip by about 1 °C when it is read every minute, and by more if it is read more often;
// temperature_offset corrects that, together with the humidity at the corrected temperature; gas =
// false leaves the heater off. The chip has no checksums: a value outside what it can measure is
// Bad or, if it is the temperature, an error.
package bme680

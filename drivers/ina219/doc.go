// Package ina219 is the driver of Texas Instruments' INA219 and INA226 (voltage, current, power of a supply line), after the data sheets
// SBOS448 and SBOS547.
//
// The current is computed here from the voltage over the shunt and the option shunt. The chip's own current and power registers need a
// calibration that is lost with its power, after which they say 0 A; they are not used. Each Read starts one measurement, averaged over
// samples, after which the chip sleeps; the configuration is written with each and read back with the result.
//
// A shunt voltage at the end of its range, ±320 mV (INA219) or ±81.92 mV (INA226), means that much or more: the current is Bad.
//
// The INA226 has ids. The INA219 has none: what stands for one is its configuration after a reset, before which the bits are looked at
// that are always 0.
package ina219

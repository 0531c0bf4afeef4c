// Package ina219 is the driver of Texas Instruments' INA219 and INA226 (voltage, current, power of
// a supply line).
//
// The current is computed here from the voltage over the shunt and the option shunt. The chip's own
// current and power registers need a calibration that is lost with the power, after which they read
// 0 A; they are not used. Each Read starts one measurement, averaged over samples, after which the
// chip sleeps; the configuration is written with each measurement and read back with the result.
//
// # Data sheet
//
// Texas Instruments SBOS448 (INA219) and SBOS547 (INA226).
//
// # Wiring
//
// VCC to 3.3 V, GND, SDA, SCL; VIN+ to the supply and VIN- to the load, with the shunt between
// them; the supply's ground to that of the board. The pins A0 and A1 choose the address, 0x40 to
// 0x4f.
//
// # Range
//
// INA219: lines up to 26 V, in steps of 4 mV; ±320 mV over the shunt in steps of 10 µV. INA226:
// lines up to 36 V, in steps of 1.25 mV; ±81.92 mV over the shunt in steps of 2.5 µV. The limits of
// current and power follow from the shunt: they are given for the 0.1 Ω that most modules have.
//
// # Sources of error
//
// A shunt voltage at the end of its range means that much or more: the current is Bad. If the
// option shunt is wrong, every current is wrong in proportion; the wires of a module are a part of
// the resistance. The INA226 has ids. The INA219 has none: its configuration after a reset serves
// as one; before the reset the driver checks the bits that are always 0.
package ina219

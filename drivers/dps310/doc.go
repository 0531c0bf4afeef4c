// Package dps310 is the driver of Infineon's DPS310 (pressure, temperature).
//
// Each Read measures the temperature and then the pressure, once each, and the chip's coefficients
// convert the results; the chip sleeps in between. After power-up the coefficients are available
// after 40 ms, which the chip's flags show. They apply to one of the chip's two thermometers, and
// the driver measures with that one.
//
// The flags cannot be written. They are written as they were read all the same, because QEMU's
// model keeps what is written; that model also has no id, which is accepted if its flags are those
// of a chip that is ready.
//
// # Data sheet
//
// Infineon "DPS310 Digital XENSIV barometric pressure sensor".
//
// # Wiring
//
// VDD 1.7 to 3.6 V; GND, SDA, SCL; pin SDO open or to the supply is address 0x77, to ground 0x76.
//
// # Range
//
// Accuracy ±100 Pa (±6 Pa relative); ±0.5 °C.
//
// # Sources of error
//
// Some chips give about 60 °C at room temperature. The maker's cure is a sequence of writes to
// registers that are not in the data sheet, but in Infineon's own program and the Linux kernel's
// driver. As in the latter, it is applied to chips with a 0 in bit 1 of register 0x32; with each
// measurement, because the power may have been lost. Light on the opening and draughts disturb the
// pressure.
package dps310

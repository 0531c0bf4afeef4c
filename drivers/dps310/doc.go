// Package dps310 is the driver of Infineon's DPS310 (pressure, temperature).
//
// Each Read measures the temperature and then the pressure, once each, which the chip's
// coefficients make into numbers; the chip sleeps in between. After power-up the coefficients take
// 40 ms to be there, which its flags show. They are given for one of the chip's two thermometers,
// which is the one to measure with.
//
// The flags cannot be written. They are written as they were read all the same, because QEMU's
// model keeps what is written; that model also has no id, which is let pass where its flags are
// those of a chip that is ready.
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
// registers that the data sheet does not have, but Infineon's own program and the Linux kernel's
// driver do. As the latter does, it is applied to chips where bit 1 of the register 0x32 is 0; with
// each measurement, because the power may have been lost. Light on the opening and draughts disturb
// the pressure.
package dps310

// Package bh1750 is the driver of Rohm's BH1750FVI (illuminance).
//
// Each Read starts one measurement in steps of 1 lx or less, after which the chip sleeps. If the
// light is more than the chip can count, above 54,612 lx, it measures again with less than half of
// the time.
//
// # Data sheet
//
// Rohm "BH1750FVI", 11046EDT01 of 2011.
//
// # Wiring
//
// VCC 2.4 to 3.6 V (modules often 5 V too); GND, SDA, SCL; pin ADDR open or to ground is address
// 0x23, to the supply 0x5c.
//
// # Range
//
// Bright sunlight is within it; ±20 % from chip to chip, which a scale in the field's filter
// corrects.
//
// # Sources of error
//
// The chip has no id and no checksum, and one that lost its power during a measurement says 0 lx. A
// window in front of the chip absorbs light: correct that with a scale. Lamps that flicker are
// averaged over 120 ms.
package bh1750

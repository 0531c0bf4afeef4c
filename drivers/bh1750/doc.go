// Package bh1750 is the driver of Rohm's BH1750FVI (illuminance), after the data sheet "BH1750FVI", 11046EDT01 of 2011.
//
// Each Read starts one measurement in steps of 1 lx or less, after which the chip sleeps. Where that is more than the chip can count,
// above 54,612 lx, it measures again with less than half of the time, which reaches to 121,556 lx: bright sunlight.
//
// The chip has no id and no checksum, and one that lost its power during a measurement says 0 lx.
package bh1750

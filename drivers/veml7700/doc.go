// Package veml7700 is the driver of Vishay's VEML7700 (illuminance).
//
// Each Read wakes the chip and measures with the range of the last reading; if the counts are too
// few or too many it measures again with another, at most three times. A range is a gain and an
// integration time, 0.0168 to 2.15 lx a count. The resolution, 0.0042 lx at the highest gain and
// the longest time, is that of the present data sheet; older ones and many programs have 0.0036.
//
// # Data sheet
//
// Vishay 84286, and the application note 84323, "Designing the VEML7700 into an Application".
//
// # Wiring
//
// VDD 2.5 to 3.6 V (modules often 5 V too); GND, SDA, SCL. The address is always 0x10: one on a
// bus.
//
// # Range
//
// From twilight to sunlight.
//
// # Sources of error
//
// Above 1000 lx the chip gives less than in proportion, which the application note's polynomial
// corrects. The configuration is read back with the result, so a loss of power is detected and not
// mistaken for darkness. A window in front of the chip absorbs light: correct that with a scale in
// the field's filter.
package veml7700

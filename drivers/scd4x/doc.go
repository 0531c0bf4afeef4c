// Package scd4x is the driver of Sensirion's SCD40, SCD41 and SCD43 (CO₂, temperature, humidity).
//
// The sensor measures by itself every 5 s while the driver is open, and Read waits for the next
// result that was not yet read: so a sensor that is read less often than every 5 s answers at once.
// While it measures it acknowledges four commands only, so settings are made after it was stopped,
// which takes half a second. After power-up it acknowledges nothing for up to a second.
//
// After a loss of power the sensor is idle and has no results; a Read that gets none for two
// periods is an error, and the next one sets the sensor up again. Nothing is stored in the sensor's
// EEPROM: the options are given to it at each start.
//
// # Data sheet
//
// Sensirion "SCD4x", version 1.3 of September 2022; section numbers are its.
//
// # Wiring
//
// VDD 2.4 to 5.5 V from a supply that can deliver peaks of 205 mA, on a Raspberry Pi 3.3 V; GND,
// SDA, SCL. The address is always 0x62: one on a bus.
//
// # Range
//
// Accuracy ±(50 ppm + 5 %) of CO₂; ±0.8 °C; ±6 %RH up to 95 %RH.
//
// # Sources of error
//
// With self_calibration the sensor takes the lowest CO₂ of a week as fresh air: right for rooms
// that are aired, wrong for greenhouses. It warms itself by about 4 °C, which its offset corrects.
// The air pressure matters: set altitude. A single wrong checksum or missing acknowledgement is not
// unusual; the reading fails, and the next is good.
package scd4x

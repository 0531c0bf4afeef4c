// Package scd4x is the driver of Sensirion's SCD40, SCD41 and SCD43 (CO₂, temperature, humidity), after the data sheet "SCD4x", version 1.3
// of September 2022; section numbers are its.
//
// The sensor measures by itself every 5 s while the driver is open, and Read waits for the next result that was not read yet: so a
// sensor that is read less often than every 5 s has its answer at once. While it measures it acknowledges four commands only, so what
// has to be set is set after it was stopped, which takes half a second. After power-up it acknowledges nothing for up to a second.
//
// Where the power was lost the sensor is idle and has no results; a Read that sees none for two periods is an error, and the next one
// sets the sensor up again. Nothing is stored in the sensor's EEPROM: the options are given to it at each start.
//
// With self_calibration the sensor takes the lowest CO₂ of a week as fresh air: right for rooms that are aired, wrong for greenhouses.
// A single wrong checksum or missing acknowledgement is not unusual; the reading fails, and the next is good.
package scd4x

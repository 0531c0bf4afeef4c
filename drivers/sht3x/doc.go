// Package sht3x is the driver of Sensirion's SHT30, SHT31, SHT35 and SHT85 (temperature, humidity), after the data sheet "SHT3x-DIS" of
// February 2019; section numbers are its.
//
// Each Read starts one measurement of the best repeatability without clock stretching, which the Raspberry Pi's I2C controller cannot be
// trusted with, and asks for the result when the longest time has passed; until then the chip does not acknowledge. The chip sleeps in
// between and keeps no setting that it could lose with its power.
//
// It has no id: a status word with the right checksum stands for one. The SHT4x has the same address and other commands.
package sht3x

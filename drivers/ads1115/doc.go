// Package ads1115 is the driver of Texas Instruments' ADS1115 and ADS1015, analog-to-digital converters of 16 and 12 bits with four
// inputs, after the data sheets SBAS444 and SBAS473.
//
// What is measured is a table of channels in the options, each with the name of its field: an input or the difference of two, the range,
// and the scale that makes volts into the quantity that is meant.
//
//	[sensor.options]
//	address = 0x48
//	[sensor.options.channels.tank_level]       # 4 to 20 mA through 150 Ω, 0 to 5 m
//	input = "0"
//	range = 4.096
//	scale = 2.0833
//	offset = -1.25
//	unit = "m"
//	[sensor.options.channels.battery]          # through a divider of 10 to 1
//	input = "1"
//	scale = 11
//	[sensor.options.channels.bridge]
//	input = "2-3"
//	range = 0.256
//
// Without channels the four inputs are measured, in V.
//
// Each Read makes one conversion a channel, after which the chip sleeps. The configuration is written with each and read back with the
// result: one that lost its power shows. A result at the end of the range is Bad. The range is what can be told apart, not what the
// inputs endure: that is the supply and 0.3 V, whatever the range.
//
// The chips have no id, and the TMP102 and LM75 have the same addresses: what shows them is that the configuration does not read back.
package ads1115

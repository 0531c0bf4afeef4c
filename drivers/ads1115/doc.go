// Package ads1115 is the driver of Texas Instruments' ADS1115 and ADS1015, analog-to-digital
// converters of 16 and 12 bits with four inputs.
//
// What is measured is a table of channels in the options, each with the name of its field: an input
// or the difference of two, the range, and the scale that converts volts into the measured
// quantity.
//
//	[[sensor]]
//	name = "pump-room"
//	driver = "ads1115"
//	bus = "/dev/i2c-1"
//	every = "10s"
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
//	unit = "V"
//	[sensor.options.channels.bridge]
//	input = "2-3"
//	range = 0.256
//
// Without channels the four inputs are measured, in V.
//
// Each Read makes one conversion per channel, after which the chip sleeps. The configuration is
// written with each conversion and read back with the result, so a loss of power is detected.
//
// # Data sheet
//
// Texas Instruments SBAS444 (ADS1115) and SBAS473 (ADS1015).
//
// # Wiring
//
// VDD 2 to 5.5 V, on a Raspberry Pi 3.3 V; GND, SDA, SCL; pin ADDR chooses the address: to ground
// 0x48, to the supply 0x49, to SDA 0x4a, to SCL 0x4b. An input must stay between ground and the
// supply, whatever the range: divide higher voltages.
//
// # Range
//
// ±0.256, 0.512, 1.024, 2.048, 4.096 or 6.144 V in steps of 1/32768 (ADS1115) or 1/2048 (ADS1015)
// of it, ±0.15 % of the range; an input against ground measures from 0 V.
//
// # Sources of error
//
// A result at the end of the range is Bad. The range is what the converter can distinguish, not
// what the inputs tolerate: that is the supply plus 0.3 V. The input loads a source of more than
// some 10 kΩ. The chips have no id, and the TMP102 and LM75 have the same addresses: they are
// recognised because the configuration does not read back.
package ads1115

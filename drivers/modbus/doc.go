// Package modbus is the driver of Modbus devices: meters, inverters, sensors, remote inputs and
// outputs. The driver reads any register map that the configuration describes, and writes the
// fields that are writable there. "modbus-rtu" is for devices on a serial line, which several
// sensors may share, "modbus-tcp" for those in the network and behind a gateway.
//
// # Reading
//
// Adjacent registers are read with one request (max_gap joins those with a hole between them, which
// not every device allows). If a device refuses one request with an exception and answers others,
// the fields of that request are Bad; silence or a broken answer fails the reading at once, so that
// a dead device costs its line one timeout.
//
// # What registers mean
//
// A field is a number of 16, 32 or 64 bits, a part of one, a text or a bit; several fields may be
// different readings of the same registers. SunSpec inverters multiply by a power of ten that is in
// another register: scale_register. It is read with every reading and, if max_gap and max_read
// allow, with the same request as the value; the result is the decimal number, 237.73 and not
// 237.73000000000002. A factor that the device does not have makes the field Bad ("not measured"),
// one that is not from -10 to 10 makes it Bad ("scale factor"). Before such a field is written, its
// factor is read.
//
// Integers cannot be NaN, so devices reserve numbers for "no value": an inverter at night sends
// 8000 for its power. Such a field is Bad ("not measured") if invalid names the number. For a
// device, invalid = "sunspec" does so for all types (int16 8000, uint16 ffff, int32 80000000,
// uint32 ffffffff, int64 8000000000000000, uint64 ffffffffffffffff, a string of zeros; of a part of
// a register the whole register counts). The 0 of SunSpec's accumulators (acc32) remains a number,
// since a counter of type uint32 may be 0: for those that are never 0, write invalid = [0] on the
// register. A list on a register replaces that of the device, and [] means none. SMA, Huawei and
// GoodWe inverters reserve numbers of their own: see their manuals.
//
// # The exchange on a serial line
//
// What makes Modbus RTU unreliable is not its protocol but the line, and this is where libraries
// fail. Before each request the line is left silent for t3.5 and anything that has arrived is
// dropped. The answer is searched for in what arrives then: the echo of the own request (RS-485
// adapters that hear themselves), leading zeros (the direction was switched), and late answers of
// other units are skipped, because a frame counts only with the unit, the function, the length and
// the checksum that belong to the request. The wait is the device's response time (timeout) plus
// the time that the bytes need on the line. Whether a line echoes is learned from reading, since
// the answer to a write is itself an echo.
//
// One answer cannot be distinguished from another: a late answer to an earlier request for the same
// number of registers of the same unit. Therefore, after a timeout the same request is the first to
// be repeated, and the driver waits for a second answer to it before the next request. Two sensors
// of one unit do not know about each other: if that matters, read the unit's registers as one
// sensor.
//
// # Data sheet
//
// MODBUS Application Protocol Specification V1.1b3, MODBUS over Serial Line V1.02, MODBUS Messaging
// on TCP/IP Implementation Guide V1.0b; and the device's register map. What a manual calls register
// 40001 is holding register 0, 30001 is input register 0.
//
//	[[sensor]]
//	name = "meter"
//	driver = "modbus-rtu"
//	bus = "/dev/serial/by-id/usb-FTDI_FT232R-if00-port0"
//	every = "10s"
//	[[sensor.options.registers]]
//	field = "voltage"
//	table = "input"
//	address = 0
//	type = "float32"
//	unit = "V"
//	[[sensor]]
//	name = "meter-in-the-network"
//	driver = "modbus-tcp"
//	bus = "192.0.2.7:502"
//	every = "10s"
//	[[sensor.options.registers]]
//	field = "voltage"
//	table = "input"
//	address = 0
//	type = "float32"
//	unit = "V"
//	[[sensor]]
//	name = "inverter"
//	driver = "modbus-tcp"
//	bus = "192.0.2.8:502"
//	every = "10s"
//	[sensor.options]
//	invalid = "sunspec"
//	[[sensor.options.registers]]
//	field = "power"
//	address = 40083
//	type = "int16"
//	scale_register = 40084
//	unit = "W"
//
// # Wiring
//
// RS-485: A to A, B to B (makers disagree about which is which: swapped wires are silent and harm
// nothing), ground to ground, 120 Ω between A and B at both ends of the line, and one pair of bias
// resistors. All devices of a line have the same baud rate and parity, and each its own unit id.
// Several sensors may name the same bus.
//
// # Range
//
// What the device can. NaN is Bad ("not measured"), an infinite number Bad ("range"), a BCD digit
// above 9 and a text that is not UTF-8 Bad ("format").
//
// # Sources of error
//
// "no answer": wrong unit id, baud rate or parity, or swapped wires. Values that are wrong by
// orders of magnitude: wrong word_order or type; min and max of the field keep them from being
// sent. Exception 2 (illegal data address): the map is wrong, or goes one register too far; many
// devices count from 1 in the manual. Echoes and late answers are handled; a device that repeatedly
// answers late needs a longer timeout.
package modbus

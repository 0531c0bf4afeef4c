// Package modbus is the driver of Modbus devices: meters, inverters, sensors, remote inputs and
// outputs. It reads any register map that the configuration describes, and writes the fields that
// this calls writable. "modbus-rtu" is for devices on a serial line, which several sensors may
// share, "modbus-tcp" for those in the network and behind a gateway.
//
// # Reading
//
// Registers that follow each other are read with one request (max_gap joins those with a hole
// between them, which not every device allows). A device that refuses one request with an
// exception, and answers others, has those fields Bad; silence or a broken answer fails the reading
// at once, so that a dead device costs its line one timeout.
//
// # The exchange on a serial line
//
// What makes Modbus RTU unreliable is not its protocol but the line, and this is where libraries
// fail. Before each request the line is left silent for t3.5 and what has arrived is dropped. The
// answer is looked for in what comes then: the echo of the own request (RS-485 adapters that hear
// themselves), leading zeros (the direction was switched), and answers of other units that were
// given up are passed over, because a frame counts only with the unit, the function, the length and
// the checksum that belong to the request. The wait is the device's time to think (timeout) plus
// what the bytes need on the line. Whether a line echoes is learned from reading, since the answer
// to a write is itself an echo.
//
// One answer cannot be distinguished from another: a late one to an earlier request for as many
// registers of the same unit. After a timeout the same request is therefore the first to be made
// again, and a second answer to it is waited for before the next. Two sensors of one unit do not
// know of each other: if that matters, read its registers as one sensor.
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
//
// # Wiring
//
// RS-485: A to A, B to B (makers disagree about which is which: swapped wires are silent and harm
// nothing), ground to ground, 120 Ω between A and B at both ends of the line, and one pair of bias
// resistors. All devices of a line have the same baud rate and parity, and each its own unit id.
// Several sensors name the same bus.
//
// # Range
//
// What the device can. Impossible floats (NaN, infinite) are Bad ("not measured").
//
// # Sources of error
//
// "no answer": unit id, baud rate, parity, or swapped wires. Values that are impossible by orders
// of magnitude: word_order, or the type; min and max of the field keep them from being sent.
// Exception 2 (illegal data address): the map, or one register too far; many devices count from 1
// in the manual. Echoes and late answers are dealt with; a device that answers late again and again
// needs a longer timeout.
package modbus

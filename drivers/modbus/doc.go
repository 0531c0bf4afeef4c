// Package modbus is the driver of Modbus devices: meters, inverters, sensors, remote inputs and
// outputs. The driver reads any register map that the configuration describes, and writes the
// fields that are writable there. "modbus-rtu" is for devices on a serial line, which several
// sensors may share, also if the line is at a serial device server that passes RTU frames (bus =
// "host:port"). "modbus-tcp" is for devices in the network and for those behind a gateway that
// speaks Modbus TCP.
//
// # Reading
//
// Adjacent registers are read with one request (max_gap joins those with a hole between them, which
// not every device allows). If a device refuses one request with an exception and answers others,
// the fields of that request are Bad; silence or a broken answer fails the reading at once, so that
// a dead device costs its line one timeout.
//
// A device that is busy (exceptions 5 and 6) is asked again until its timeout has passed; a write
// only after exception 6, which says that nothing was written.
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
// uint32 ffffffff, int64 8000000000000000, uint64 ffffffffffffffff, a string of zeros; of a bit or
// another part of a register, the whole register counts). The 0 of SunSpec's accumulators (acc32)
// remains a number, since a counter of type uint32 may be 0: for those that are never 0, list 0 as
// invalid on the register. A list on a register replaces the option of the device; an empty one
// means none. Other makers reserve other numbers, such as 7fffffff in Huawei inverters: see the
// manual.
//
// # Devices that read the standard in another way
//
// Each of these options is for a class of devices. The message of a failure names those that may
// help.
//
//   - gap: data loggers and inverters behind them (Huawei's dongle, Solis' stick), and meters whose
//     manual wants a pause (Carlo Gavazzi EM340), lose requests that come fast.
//   - max_read, max_read_bits: devices with small buffers refuse long answers with exception 2 or
//     3, or cut them; I/O modules with 8 or 16 coils refuse more.
//   - one_request_per_field: devices whose registers are parameters (variable-speed drives, heat
//     pumps, controllers behind a protocol converter) answer one value a request.
//   - max_gap = 0, the default: devices refuse holes in their map with exception 2.
//   - any_unit: devices without a serial line answer with 0 or 255, whatever they were asked for.
//     Over TCP that is safe, because each answer has the number of its request. On a serial line a
//     late answer of another device would be taken for the device's own, so the device must be the
//     only one there: the configuration is refused otherwise.
//   - unit_id 248 to 255: the specification reserves these, and some makers use them nevertheless
//     (PZEM-004T and PZEM-016: 248). They work, with a warning. 0 addresses all devices of a line,
//     and none answers.
//   - connect_delay: devices that are deaf for a second or two after connecting, or hang up if they
//     are asked too early (Huawei's dongle). The pause belongs to the reading that connects: every,
//     or the sensor's timeout, must be longer.
//   - close_after_read: devices that take one connection only, which another program needs as well.
//     Devices that hang up when idle need no option: the connection is opened again and the request
//     sent again, without a failed reading.
//   - write_multiple: devices that write with functions 15 and 16 only.
//   - timeout: slow devices, those on radio, and gateways with many devices behind them.
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
// At a serial device server all of this stays as it is: the server keeps the settings of the line
// by itself, but the silence between frames, the echo and the late answers are those of its line.
// baud, parity and stop_bits only tell the driver how long bytes take.
//
// One answer cannot be distinguished from another: a late answer to an earlier request for the same
// number of registers of the same unit. Therefore, after a timeout the same request is the first to
// be repeated, and the driver waits for a second answer to it before the next request. Two sensors
// of one unit do not know about each other: if that matters, read the unit's registers as one
// sensor.
//
// # Known devices, and SunSpec
//
// profile names a device of the library (docs/modbus-profiles.md): nothing else
// than its address is needed then. SunSpec devices (inverters, batteries, meters) say themselves
// where their registers are: the profiles sunspec-inverter, sunspec-meter, sunspec-mppt and
// sunspec-common walk the device's list of models at the first reading, and registers of your own
// can name the models that they are in. A field that the device has no model for is Bad ("not
// present"); choose those that it has with fields.
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
// devices count from 1 in the manual. If it is the exception of several fields at once, try
// one_request_per_field, a smaller max_read, and max_gap = 0. Echoes and late answers are handled;
// a device that repeatedly answers late needs a longer timeout.
package modbus

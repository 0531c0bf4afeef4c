// Package line is the driver of devices that write lines of text on a serial port by themselves:
// microcontrollers with a print in their loop, scales, meters, weather stations. A line is taken
// apart by a regular expression with named groups or by a separator; each group or column is a
// field.
//
// A line ends with CR, LF or both. What was on its way when the port was opened is the rest of a
// line and is dropped. A line that does not fit is skipped, as is one that is too long or not
// UTF-8: start-up text and disturbed lines are normal. It is an error only if no line that fits has
// arrived by the deadline; the error distinguishes silence, text of another form, and the garbage
// of a wrong baud rate.
//
// A device does not wait for the gateway. If several lines have arrived since the last Read, it
// returns the newest, so that a value is never older than the device's own interval; the option
// every_line returns each of them in turn instead, for use with every = "0s".
//
// # Data sheet
//
// The device's own manual. The regular expressions are RE2's; write them between single quotes:
//
//	[[sensor]]
//	name = "greenhouse"
//	driver = "line"
//	bus = "/dev/serial/by-id/usb-Arduino_Uno-if00"
//	every = "10s"
//	[sensor.options]
//	pattern = '^T=(?P<temperature>\S+) H=(?P<humidity>\S+) door=(?P<door_open>[01])'
//	baud = 115200
//	[sensor.options.fields]
//	temperature = { unit = "Cel" }
//	door_open = { type = "bool" }
//
// # Wiring
//
// TX of the device to RX of the port, ground to ground, and the same voltage: a Raspberry Pi's UART
// tolerates 3.3 V only, RS-232 needs a converter.
//
// # Range
//
// Fields are the pattern's groups or the columns, in lower-case snake case. A word that is empty or
// NaN is Bad ("not measured"), one that is not a number "format", one that is too large "range".
// Bools are 1, true, on, yes and 0, false, off, no.
//
// # Sources of error
//
// If no line has arrived since the last reading, the reading waits for one up to its timeout: with
// a device that writes every 30 s set timeout = "35s". "nothing came": the device has no power, is
// silent, or its TX is not wired to our RX. "bytes came but no text": baud, data_bits or parity are
// wrong, or the signal is inverted (RS-232 without a converter). "no line fits pattern" shows the
// last line: the pattern is wrong.
package line

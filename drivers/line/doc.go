// Package line is the driver of devices that write lines of text on a serial port by themselves: microcontrollers with a
// print in their loop, scales, meters, weather stations. A line is taken apart by a regular expression with named groups or by a
// separator; each group or column is a field.
//
// A line ends with CR, LF or both. What was on its way when the port was opened is the rest of a line and is dropped. A line that does
// not fit is passed over, as is one that is too long or not UTF-8: lines of start-up text and disturbed ones are normal. Only
// when no line that fits has come by the deadline is that an error, and it tells apart silence, text of another form, and
// the garbage of a wrong baud rate.
//
// A device does not wait for the gateway. When several lines have come since the last Read, it returns the newest, so that a value
// is never older than the device's own interval; the option every_line returns each of them in turn instead, for use with every = "0s".
package line

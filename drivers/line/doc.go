// Package line is the driver of devices and programs that write text: microcontrollers with a print
// in their loop, scales, meters, weather stations, rtl_433, a script. A line is taken apart by a
// regular expression with named groups, by a separator, or as JSON; each group, column or member is
// a field.
//
// A line ends with CR, LF or both, unless line_end says otherwise. What was on its way when the
// port was opened is the rest of a line and is dropped; what a program prints begins with a line,
// and its end ends one. Controls around a line and around a value (STX and ETX, NUL, XON and XOFF)
// are removed. A line that does not fit is skipped, as is one that is too long or mostly not text:
// start-up messages and disturbed lines are normal. It is an error only if no line that fits has
// arrived by the deadline. The error shows the last line as it came, in escapes where it is not
// text, and names the option that may help.
//
// A device does not wait for the gateway. If several lines have arrived since the last Read, it
// returns the newest, so that a value is never older than the device's own interval; the option
// every_line returns each of them in turn instead, for use with every = "0s". A device that speaks
// only when asked has send: what it said before is dropped, and the first line of its answer that
// fits counts.
//
// # Data sheet
//
// The device's own manual. The regular expressions are RE2's; write them between single quotes, and
// texts with escapes, such as "\r" or "\u0003", between double quotes. A microcontroller that
// prints "T=21.5 H=48 door=1":
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
// One that prints each value on a line of its own, and "----" after the last. The pattern sees them
// together, with \n between them:
//
//	[[sensor]]
//	name = "aquarium"
//	driver = "line"
//	bus = "/dev/serial/by-id/usb-Arduino_Nano-if00"
//	every = "10s"
//	[sensor.options]
//	record_end = '^----'
//	pattern = 'Water: (?P<water>\S+) C\nAir: (?P<air>\S+) C\n'
//	invalid = [-127, "NC"]
//
// An electricity meter that sends telegrams by itself (IEC 62056-21, mode D, by an infrared head),
// whose last line is "!":
//
//	[[sensor]]
//	name = "meter"
//	driver = "line"
//	bus = "/dev/serial/by-id/usb-Silicon_Labs_CP2104-if00-port0"
//	every = "10s"
//	[sensor.options]
//	record_end = '^!'
//	pattern = '(?s)\n1-0:1\.8\.0[^(]*\((?P<energy>[0-9.]+)\*kWh\).*\n1-0:1\.7\.0[^(]*\((?P<power>[0-9.]+)\*W\)'
//	data_bits = 7
//	parity = "even"
//	fields = { energy = { unit = "kWh" }, power = { unit = "W" } }
//
// A balance that must be asked, by the commands of Mettler Toledo (MT-SICS). It answers a stable
// weight, "S S 12.50 g", or, if there is none, "S D" with the one that it shows:
//
//	[[sensor]]
//	name = "balance"
//	driver = "line"
//	bus = "/dev/serial/by-id/usb-FTDI_FT232R-if00-port0"
//	every = "5s"
//	[sensor.options]
//	send = "S\r\n"
//	pattern = '^S S +(?P<weight>-? *[0-9.]+) g'
//	fields = { weight = { unit = "g" } }
//
// A meter with decimal commas whose letters are not UTF-8 ("1.234,5;21,5 °C"):
//
//	[[sensor]]
//	name = "heat-meter"
//	driver = "line"
//	bus = "/dev/serial/by-id/usb-Prolific-if00-port0"
//	every = "1m"
//	[sensor.options]
//	pattern = '^(?P<energy>[^;]*);(?P<flow_temperature>.*) °C'
//	decimal = ","
//	encoding = "latin-1"
//
// rtl_433, which runs on and prints all sensors within its range, the neighbours' too. Its user
// needs the rights of the radio (group plugdev):
//
//	[[sensor]]
//	name = "garden"
//	driver = "line"
//	bus = "exec:/usr/bin/rtl_433 -F json"
//	every = "1m"
//	timeout = "2m"
//	[sensor.options]
//	format = "json"
//	match = { model = "Acurite-Tower", id = 1234 }
//	[sensor.options.fields]
//	temperature = { path = "temperature_C", unit = "Cel" }
//	humidity = { unit = "%RH" }
//	battery_ok = { type = "bool" }
//
// If several sensors read rtl_433, let it run once, as a service of its own that hands its output
// to whoever connects (rtl_433 -F json | ncat -l -k 127.0.0.1 4433), with bus = "127.0.0.1:4433".
//
// A program that prints its value and ends is started for each reading:
//
//	[[sensor]]
//	name = "processor"
//	driver = "line"
//	bus = "exec:/usr/bin/vcgencmd measure_temp"
//	every = "30s"
//	[sensor.options]
//	pattern = 'temp=(?P<temperature>[0-9.]+)'
//	fields = { temperature = { unit = "Cel" } }
//
// One that prints a reading on several lines needs a last one, here added by a shell. With upsc of
// Network UPS Tools:
//
//	[[sensor]]
//	name = "ups"
//	driver = "line"
//	bus = "exec:/bin/sh -c 'upsc ups@localhost && echo ----'"
//	every = "30s"
//	[sensor.options]
//	record_end = '^----'
//	pattern = '(?s)battery\.charge: (?P<charge>\S+)\n.*input\.voltage: (?P<voltage>\S+)\n.*ups\.status: (?P<status>[^\n]*)'
//	[sensor.options.fields]
//	charge = { unit = "%" }
//	voltage = { unit = "V" }
//	status = { type = "string" }
//
// Ten lines of Python, which may print when they like; None is not measured:
//
//	#!/usr/bin/env python3
//	import json, time
//	while True:
//	    temperature, battery = measure()
//	    print(json.dumps({"temperature": temperature, "battery": {"level": battery}}), flush=True)
//	    time.sleep(5)
//
// are read by
//
//	[[sensor]]
//	name = "attic"
//	driver = "line"
//	bus = "exec:/usr/local/lib/fieldgate/attic.py"
//	every = "10s"
//	[sensor.options]
//	format = "json"
//	fields = { temperature = { unit = "Cel" }, battery = { path = "battery.level", unit = "%" } }
//
// # Wiring
//
// TX of the device to RX of the port, ground to ground, and the same voltage: a Raspberry Pi's UART
// tolerates 3.3 V only, RS-232 needs a converter. A device that must be asked needs our TX at its
// RX too.
//
// # Range
//
// Fields are the pattern's groups, the columns, or what the option fields names with JSON, in
// lower-case snake case. A word that is empty, NaN or listed in invalid is Bad ("not measured"),
// one that is not a number "format" or "decimal comma", one that is too large "range". Bools are 1,
// true, on, yes and 0, false, off, no.
//
// A number may have spaces after its sign ("-  12.5"). With the decimal mark "," a point between
// groups of three digits separates thousands: "1.234" is 1234. Without the option, commas separate
// thousands only if they cannot be decimal: in "1,234.5" and "1,234,567". A "1,234" alone is Bad.
//
// With JSON, a line that lacks a field, or has null there, gives Bad ("not measured") for that
// field; a line with none of them does not fit. A number keeps its digits, and may be in a text.
// NaN and Infinity, which Python writes, are null.
//
// # Sources of error
//
// If no line has arrived since the last reading, the reading waits for one up to its timeout: with
// a device that writes every 30 s set timeout = "35s". "nothing came": the device has no power, is
// silent, its TX is not wired to our RX, or it must be asked (send). "bytes came but no text":
// baud, data_bits or parity are wrong, or the signal is inverted (RS-232 without a converter). "no
// line fits pattern" shows the last line: the pattern is wrong. A garbled byte may change a digit,
// which text without a checksum does not show: give each field its limits (min and max). The
// request send has no number: the answer to an earlier one that comes late is taken for the next,
// so the timeout must be longer than the device ever takes.
package line

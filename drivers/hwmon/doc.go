// Package hwmon is the driver of what the Linux kernel's hardware monitoring shows: thermometers
// and supply monitors that have a kernel driver (DS3231, LM75, INA2xx, EMC14xx, the processor
// itself), chosen by the name of that driver.
//
// The numbers of /sys/class/hwmon/hwmonN change from start to start; the name in it does not. If
// several devices have the same name, the option device distinguishes them by where they are
// attached.
//
//	[[sensor]]
//	name = "board-temperature"
//	driver = "hwmon"
//	every = "10s"
//	[sensor.options]
//	name = "emc1413"
//	device = "1-004c"
//	channels.board.input = "temp1"
//	channels.pipe.input = "temp2"
//
// # Data sheet
//
// Documentation/hwmon/sysfs-interface.rst of the Linux kernel, for names and units.
//
// # Wiring
//
// That of the device. The device needs its kernel driver: an overlay of the device tree, such as
// dtoverlay=i2c-rtc,ds3231 in config.txt of a Raspberry Pi. `fieldgate scan` lists the available
// devices. Do not use a driver of fieldgate for a chip that a kernel driver uses.
//
// # Range
//
// That of the device: the kernel's numbers are passed on in base units (°C, V, A, W, J, %RH, Hz,
// 1/min).
//
// # Sources of error
//
// A channel whose fault file says 1 (an open thermal diode) is Bad "fault". If a device does not
// answer at all that is an error; if one channel does not, it is Bad. Some kernel drivers measure
// at most once a second and return the last number until then. If one gives a number that means "no
// value" (-128000 m°C, -1), name it in invalid, as its file has it: the field is Bad ("not
// measured") then.
package hwmon

// Package gpio is the driver of single pins: gpio-in reads a level and counts edges (door contacts,
// water and energy meters, anemometers), gpio-out switches (relays, valves, lamps). Both go through
// the Linux kernel's GPIO character device, version 2 (Linux 5.10 and later).
//
// A driver starts no goroutine, so the pins are asked for with the kernel's calls, by the structs
// of github.com/warthog618/go-gpiocdev/uapi; that library's own Line hands edges over in a
// goroutine. Nothing is lost this way: the kernel keeps the newest edges with their time and their
// number since the pin was requested, so that one reading per interval gives the exact count,
// whatever happened in between, and the frequency from the times of the edges themselves.
//
//	[[sensor]]                  # a water meter with a reed contact, one pulse a litre
//	name = "water"
//	driver = "gpio-in"
//	every = "1m"
//	[sensor.options]
//	line = "GPIO17"
//	bias = "pull-up"
//	active_low = true
//	edges = "rising"
//	debounce = "20ms"
//	[sensor.field.count]
//	scale = 0.001
//	unit = "m3"
//	[[sensor]]
//	name = "pump"
//	driver = "gpio-out"
//	every = "10s"
//	[sensor.options]
//	line = "GPIO27"
//	initial = "off"
//
// # Data sheet
//
// Documentation/userspace-api/gpio/chardev.rst of the Linux kernel.
//
// # Wiring
//
// Pins tolerate 3.3 V and supply a few milliamperes: a relay needs a transistor or a module with
// one, a signal of 5 or 24 V an optocoupler. A contact goes from the pin to ground, with bias =
// "pull-up" and active_low = true. Pins are named as the board's device tree does: GPIO17 is pin 11
// of a Raspberry Pi's header. `fieldgate scan` lists the chips; `gpioinfo` of the Debian package
// gpiod lists every pin.
//
// # Range
//
// Edges up to about 10,000 a second; each is an interrupt. With debounce a level counts once it has
// been stable for that long.
//
// # Sources of error
//
// A contact bounces: without debounce one closing counts several times. A pin without anything
// connected floats: choose a bias. The count begins at 0 when the sensor is opened: at each start
// of the gateway, and after five failures in a row. The frequency is 0 if there was no edge since
// the last reading: `every` should be several periods long. Pins on an expander without an
// interrupt line cannot count. On most chips an output keeps its level after the program has ended,
// but the kernel does not promise it: use a resistor for a state that must hold without the
// gateway, and at_close for a safe state after an orderly end (not after a power cut or a killed
// process).
package gpio

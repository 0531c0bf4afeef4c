// Package host is the driver of the board that the program runs on: temperature, load, memory,
// disk, uptime, and what a Raspberry Pi's firmware says about its power supply. It reads files of
// /proc and /sys and asks the file system; nothing is started, and no bus is needed.
//
// The fields do not depend on the board, so that a configuration can be checked anywhere: what a
// board does not have is Bad "not present" each time. The option `fields` leaves such fields out.
//
// # Data sheet
//
// Linux's proc(5), and Documentation/driver-api/thermal/sysfs-api.rst of the kernel.
//
// # Wiring
//
// None.
//
// # Range
//
// That of the kernel's numbers.
//
// # Sources of error
//
// The processor's temperature is that of the chip, not of the room. It is that of the thermal zone
// whose type names the processor (cpu-thermal, CPU-therm, x86_pkg_temp) or else the chip that it is
// on (soc-thermal), never of a battery or modem. If there is none, or if thermal_zone names one
// that the board does not have, it is Bad ("not present"):
//
//	grep . /sys/class/thermal/thermal_zone*/type
//
// lists what there is. throttled_flags is what the
// firmware of a Raspberry Pi reports: bit 0 or 16 set means that the power supply or its cable is
// too weak, and then sensors on USB and I2C fail as well.
package host

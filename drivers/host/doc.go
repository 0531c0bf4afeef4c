// Package host is the driver of the board that the program runs on: temperature, load, memory, disk, uptime, and what a Raspberry Pi's
// firmware says of its power supply. It reads files of /proc and /sys and asks the file system; nothing is started, and
// no bus is needed.
//
// The fields do not depend on the board, so that a configuration can be checked anywhere: what a board does not have is
// Bad "not present" each time. The option `fields` leaves it out.
package host

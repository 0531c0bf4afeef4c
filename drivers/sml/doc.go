// Package sml is the driver of electricity meters that send SML (Smart Message Language), as in
// Germany: of EMH, EasyMeter, Iskra, DZG, Holley, Logarex, eBZ and others, read by an infrared head
// on a serial port.
//
// A meter sends a frame by itself every one to five seconds. It is used only if its checksum is
// right. Which fields there are is up to the meter: those that it does not send are Bad ("not
// present"), and the option fields chooses those that it does.
//
//	[[sensor]]
//	name = "meter"
//	driver = "sml"
//	bus = "/dev/serial/by-id/usb-Silicon_Labs_CP2102-if00-port0"
//	every = "10s"
//	[sensor.options]
//	fields = ["energy_import", "energy_export", "power", "power_l1", "power_l2", "power_l3"]
//
// # Data sheet
//
// BSI TR-03109-1, annex IV (SML 1.04). The codes are those of OBIS, IEC 62056-61.
//
// # Wiring
//
// An infrared head (D0, DIN EN 62056-21), held by its magnet on the meter's window; on USB, or its
// TX to RX of the port.
//
// # Range
//
// Energy in kWh, power in W, in steps that the meter chooses.
//
// # Sources of error
//
// Without its PIN a modern meter sends energy in whole kWh and no power: enter the PIN, which the
// grid operator sends, and switch "InF" on. Sunlight on the head disturbs frames: "the checksum was
// wrong". Some DZG DVS-74 send a power between 327.68 and 655.35 W as one that is 655.36 W less,
// with a right checksum: compare with the meter's display.
package sml

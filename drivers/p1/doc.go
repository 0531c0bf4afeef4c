// Package p1 is the driver of the customer port P1 of smart meters in the Netherlands, Belgium,
// Luxembourg and elsewhere (DSMR, ESMR, Fluvius e-MUCS), and of other meters that send such
// telegrams: on a serial port, or from an adapter that passes the bytes on over TCP (bus =
// "192.0.2.7:2001").
//
// A meter sends a telegram by itself every second (DSMR 5) or every ten. A telegram is used only if
// its checksum is right. Meters of DSMR 2.2 and 3 send none, with another setting of the line: set
// legacy for these. Fields that a meter does not send are Bad ("not present"); the option fields
// chooses those that it does:
//
//	[[sensor]]
//	name = "meter"
//	driver = "p1"
//	bus = "/dev/serial/by-id/usb-FTDI_FT232R-if00-port0"
//	every = "10s"
//	timeout = "25s"
//	[sensor.options]
//	fields = ["energy_import_1", "energy_import_2", "power_import", "voltage_l1", "gas", "gas_time"]
//
// # Data sheet
//
// P1 Companion Standard, DSMR 5.0.2 (Netbeheer Nederland); e-MUCS P1 (Fluvius). The codes are those
// of OBIS, IEC 62056-61.
//
// # Wiring
//
// A P1 cable with an RJ12 plug and a USB adapter. The port sends only while its pin 2 (request) has
// 5 V, and its signal is inverted: a cable for P1 does both. In Belgium and Luxembourg the grid
// operator has to open the port first.
//
// # Range
//
// Energy in kWh as the meter counts it, power in W, in steps of 1 or 10 W. Gas is measured every
// five minutes (DSMR 5) or every hour: gas_time says when.
//
// # Sources of error
//
// A meter that sends every ten seconds needs a timeout of the sensor of more than that, such as
// 25s. "without a checksum": set legacy. "the checksum was wrong": a long or disturbed cable, or
// two readers of one signal. Times have the zone of central Europe, +01:00 or +02:00 by the meter's
// letter W or S; times without that letter (DSMR 2.2 and 3) are Bad ("no zone"). Importing and
// exporting are seen from the customer.
package p1

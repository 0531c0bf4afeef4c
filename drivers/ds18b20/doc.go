// Package ds18b20 is the driver of Maxim's DS18B20 (family 28) and its relatives DS18S20 (10),
// DS1822 (22), DS1825 (3b) and DS28EA00 (42), thermometers on 1-Wire, read through the Linux
// kernel's 1-Wire bus.
//
// The kernel measures while the file w1_slave is read, which takes 750 ms (94 ms at 9 bits) and
// cannot be interrupted, one sensor of a bus after the other. The two lines of the file are the
// memory of the chip, from which the driver computes the temperature: the number that the kernel
// gives beside it is from an earlier reading if the checksum is wrong.
//
//	[[sensor]]
//	name = "boiler"
//	driver = "ds18b20"
//	every = "10s"
//	[sensor.options]
//	id = "28-0316a2795fff"      # if there are several
//
// # Data sheet
//
// DS18B20, Maxim 19-7487 Rev 6 (2019); memory map on page 8. DS18S20, Maxim 19-5474. The kernel's
// file: Documentation/w1/slaves/w1_therm.rst.
//
// # Wiring
//
// Data to GPIO 4 (pin 7 of a Raspberry Pi), with 4.7 kΩ from data to 3.3 V, one resistor for all
// sensors; supply to 3.3 V; ground. Add dtoverlay=w1-gpio to config.txt of a Raspberry Pi, or what
// another board needs (Boards, above), and reboot: the sensors appear as
// /sys/bus/w1/devices/28-…. Connect the supply wire too: without it (parasite power) a long line or
// several sensors lack the current to measure.
//
// # Range
//
// Accuracy ±0.5 °C from -10 to 85 °C, in steps of 0.0625 °C.
//
// # Sources of error
//
// A chip that lost its power reports 85 °C until it has measured: that is an error unless the chip
// shows that it was measured, or the previous reading was near. So are 127.94 °C (not enough
// current to measure), a wrong checksum (line too long, pull-up too weak), and a memory of zeros,
// whose checksum is right (data held low). Clones for 1 € differ from the data sheet in all of
// this.
package ds18b20

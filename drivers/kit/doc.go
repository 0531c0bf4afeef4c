// Package kit is what drivers share, whatever they are attached to: the description of a field, a
// number checked against it, checks of options, and the physics of moist air. What belongs to one
// kind of device is in a folder below:
//
//	chip       I2C chips at an address, their registers, Bosch's ids; chip/chiptest for their models
//	sensirion  the protocol of Sensirion's sensors; sensirion/sensiriontest for their models
//	stream     devices on a serial line or a connection
//	sysfs      sensors that the Linux kernel reads
//	devfile    device files: why one cannot be opened, and who has it open
//
// Code may live here if two drivers need it and it knows neither of them. Code that one driver
// needs stays in that driver; what the rest of the program needs to know of drivers is in package
// drivers. No driver is here: each has its own folder directly under drivers.
package kit

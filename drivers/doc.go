// Package drivers is the vocabulary that drivers of sensors and the rest of the program share: what a Value is, what a
// Driver does, and what a Spec tells about it. It knows no hardware, no configuration and no other package of the program;
// anyone may import it. Code that opens a device file does not belong here (that is drivers/bus), nor does a driver (each
// has its own folder).
//
// # How to write a driver
//
// A driver is one new folder and one line in drivers/all. The folder drivers/<chip> has
//
//	doc.go     what the device is, and what the driver does about its traps, in the form below
//	<chip>.go  Options (with `toml` and `doc` tags), Spec, the type Dev with Read and Close
//	*_test.go  ten lines that run drivertest.Suite, and the data sheet's own examples
//
// The package comment begins with "Package <chip> is the driver of" and ends with the sections "# Data sheet", "# Wiring", "# Range" and "# Sources
// of error". With the Spec they make the driver's part of docs/drivers.md, which is written anew by
//
//	go test ./drivers/all -run TestDriversPage -update
//
// The Spec is made by I2C, Serial (the device has the port for itself), SharedSerial (several on one line), Network or Machine (the
// kernel's files, and no bus):
//
//	var Spec = drivers.I2C("bme280", "Bosch BME280: temperature, humidity, pressure", Options{Address: 0x76}, fields, open)
//
// Options holds the defaults. A slice or a map in it starts as nil, and nil means its default: the defaults are copied
// plainly, so what they point to would be shared by all sensors. Each field has a tag `doc`: one line for the operator, with unit and
// range, which becomes documentation. A method Check on the pointer reports wrong values as
// OptionError, before anything is opened. Fields must be known from the options alone: a configuration is checked on any machine. A field of
// Options that is not exported is no option; a test puts there what stands for the machine, such as the root of its files.
//
// Each field that is a number has a Range: drivers.Between, drivers.AtLeast, or drivers.AnyNumber if the
// driver cannot know. kit.Measured makes what is outside of it Bad, the documentation shows it, and
// drivertest.Suite, which garbles all that the device says, holds the driver to it.
//
// What several drivers need is in drivers/kit and the folders below it.
//
// # What a driver may rely on, and what it may not do
//
//   - Calls are never concurrent, and each has a context with a deadline. Read looks at it before it touches the bus and
//     ends soon after it does; every wait is a Wait. What cannot be broken off, such as the reading of a file in which the kernel
//     measures, is one transaction: the context is looked at before, and whoever calls waits.
//   - It starts no goroutine, has no logger, reads no clock and keeps no package-level variable. Whoever calls it decides when
//     to measure, takes the time, repeats, backs off, logs and opens it again.
//   - It knows its bus as periph's i2c.Bus or as a Port, never as a device file, and does not close it. Only a driver made by Machine opens
//     files itself, those that the kernel shares out: in /proc, in /sys, and GPIO pins.
//   - A word with a wrong checksum, a bit pattern that means "not measured" or a number outside what the device can
//     measure is Bad or an error. A guess is never a value.
//   - An error says what was tried, what came instead, and what the operator can do; it wraps its cause. One that is
//     os.ErrClosed tells the caller that the bus is gone and that only opening the driver anew can help.
//   - Read reuses the slice that it returns, so a measurement need not allocate.
package drivers

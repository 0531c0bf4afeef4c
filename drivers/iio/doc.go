// Package iio is the driver of what the Linux kernel's industrial I/O subsystem shows: sensors and
// converters that have a kernel driver there (DPS310, BME280, BME680, ADS1115, VL53L0X,
// accelerometers, DHT22 on a pin), chosen by the name of that driver.
//
// The numbers of /sys/bus/iio/devices/iio:deviceN change from start to start; the name in it does
// not. A channel that has a file in_…_input is given by the kernel in the ABI's unit, others as
// (raw + offset) · scale.
//
//	[[sensor]]
//	name = "air"
//	driver = "iio"
//	every = "10s"
//	[sensor.options]
//	name = "dps310"
//	channels.temperature = "temp"
//	channels.pressure = "pressure"
//
// # Data sheet
//
// Documentation/ABI/testing/sysfs-bus-iio of the Linux kernel, for names and units: mind that
// pressure is in kPa, temperature in m°C, and humidity in m%.
//
// # Wiring
//
// That of the device. The device needs its kernel driver: an overlay of the device tree, such as
// dtoverlay=i2c-sensor,bme280 or dtoverlay=dht11,gpiopin=4 in config.txt of a Raspberry Pi.
// `fieldgate scan` lists the available devices. Do not use a driver of fieldgate for a chip that a
// kernel driver uses.
//
// # Range
//
// That of the device: the kernel's numbers are passed on in base units (°C, Pa, %RH, V, A, W, lx,
// m, m/s2, rad/s, T and others).
//
// # Sources of error
//
// The unit follows from the kind of channel in the kernel's ABI; some kernel drivers do not follow
// it: compare the first reading with another instrument. If one channel does not answer, it is Bad;
// if the device does not answer at all, that is an error. If a kernel driver gives a number that
// means "no value" (-32768, 65535), name it in invalid, as its file has it: the field is Bad ("not
// measured") then.
package iio

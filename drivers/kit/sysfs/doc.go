// Package sysfs is what drivers of sensors that the Linux kernel reads have in common: a device is
// found by the name that its kernel driver gives it, never by its number, which changes from start
// to start; a Meter reads its channels. What a channel is called and in which unit the kernel gives
// it is up to the drivers (hwmon, iio, ds18b20).
//
// Reading a file of sysfs is one transaction with the device and cannot be broken off: the kernel
// returns when the device has answered or was given up. A context is looked at before each.
package sysfs

// Command usbip is a guest program of the emulated boards: it plugs a USB-to-I2C adapter into the
// kernel it runs on, with the models of the chips behind it, and then reads them with the drivers
// through the device file that the kernel has made.
//
// The kernel's vhci_hcd takes the traffic of a USB device from a socket (the protocol of USB/IP).
// At the other end of the socket is this program, as an i2c-tiny-usb: each message of a transfer
// arrives as a control request. So everything between the driver and the wire is the real thing:
// drivers/bus, i2c-dev, an adapter's driver, USB; and every fault of the wire and of the adapter
// can be made at will.
//
// It prints one line for each case, "CASE <name>: ok: <what was seen>" or "CASE <name>: FAILED:
// <why>", and needs root in a machine of its own.
package main

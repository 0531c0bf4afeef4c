// Package chip is what drivers of I2C chips share: a Conn to a chip at an address, with its
// registers; the check of an address option; the wait for a measurement; and the messages for a
// chip that does not answer or is another one. Sensirion's words are in kit/sensirion; what holds
// for other devices too is in kit.
package chip

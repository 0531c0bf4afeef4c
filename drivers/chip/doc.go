// Package chip has what drivers of I2C chips share: a Conn to a chip at an address, with its registers; the check of an address
// option; the wait for a measurement; a value within what a chip can measure; and the messages for a chip that does not answer or
// is another one. What only chips of one kind have is not here: Sensirion's words are in drivers/sensirion, moist air in
// drivers/humidity.
package chip

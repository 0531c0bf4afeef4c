// Package doctor examines a machine and its configuration: sensors, clock, store, certificate,
// broker. Each Check says what was found and, if something is wrong, what to do about it. How it is
// printed is the command's affair.
//
// It changes nothing: it does not open the store, which has one owner, but looks at its folder; it
// leaves the broker's session as it found it, and what it publishes to measure the line is a reply
// to a command that nobody gave, not retained; it does not open actuators, since opening one may
// switch it. While the gateway runs it opens no device either and takes the state of sensors and
// connection from it. Otherwise it opens each sensor as the gateway would, which sets the device
// up, and measures once.
package doctor

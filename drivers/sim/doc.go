// Package sim is the driver of a sensor that does not exist: for demonstrations, and to try out
// what a gateway does with broken sensors. It makes one field of a chosen shape, and on request
// fails, hangs or freezes.
//
// A driver has no clock, so it can only count readings: a wave with the period 60, read every
// second, takes a minute. The same seed gives the same values. Read does not allocate.
//
// # Data sheet
//
// None.
//
// # Wiring
//
// None.
//
// # Range
//
// As the options say.
//
// # Sources of error
//
// Those that the options ask for: fail_every, hang_every, freeze_after.
package sim

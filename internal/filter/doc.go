// Package filter decides what becomes of a measurement between its driver and the store: each field
// is converted, checked and smoothed, and a reading that says nothing new may be dropped. It
// computes only: no clock, no goroutine, no I/O, and no allocation once every field was seen.
//
// The steps of a field have a fixed order:
//
//  1. scale and offset:   v*scale + offset, the calibration
//  2. min and max:        a result outside is Bad "range", and Explain has the number
//  3. average:            the mean of the last n results
//  4. deadband, on_change: whether the field has moved since it was last kept
//
// The first three change values; the last one votes. Only fields that have a deadband or on_change
// vote: if none does, every reading is kept; if some do, a reading is kept when one of them has
// moved, whatever the others did. Three things keep a reading without a vote: a field that became
// bad or came back, a heartbeat that is due, and Force.
package filter

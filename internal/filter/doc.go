// Package filter decides what becomes of a measurement between its driver and the store: each field
// is converted, checked and smoothed, fields are computed from others, and a reading that says
// nothing new may be dropped. It computes only: no clock, no goroutine, no I/O, and no allocation
// once every field was seen.
//
// The steps of a field have a fixed order:
//
//  1. scale and offset, or calibration: what the number means
//  2. min and max:  a result outside is Bad "range", and Explain has the number
//  3. median:       of the last n results
//  4. average:      of the last n results
//  5. delta, rate:  the change since the last good result
//  6. clamp, round: what is beyond, and what is too fine
//  7. deadband, on_change: whether the field has moved since it was last kept
//
// Computed fields come after those that they are made of, and go through the same steps. All but
// the last step change values; that one votes. Only fields that have a deadband or on_change vote:
// if none does, every reading is kept; if some do, a reading is kept when one of them has moved,
// whatever the others did. Three things keep a reading without a vote: a field that became bad or
// came back, a heartbeat that is due, and Force. A field that is dropped has no part in that.
//
// A field has the driver's name until its first step, and its new name from then on.
package filter

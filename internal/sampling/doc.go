// Package sampling measures with one sensor on its schedule and survives everything that the sensor does. Schedules, back-off,
// the lock of a bus and the state of a sensor live here; what a device is does not (drivers), nor what becomes of a
// measurement (internal/filter, and the Sink).
//
// # Schedule
//
// A sensor is read at whole multiples of its interval: every 10 s at :00, :10, :20. Where the multiples lie is decided by the
// wall clock when Run begins and at every Apply; from there on only the time since power-up counts, so that a step of the wall
// clock changes nothing. A reading that takes longer than the interval costs the multiples it covers: they are counted as
// skipped, never made up for. Below 5 ms a timer is too coarse to be late by less than an interval: then a wake-up makes all
// the readings that are due, up to 50 ms worth of them. An interval of 0 reads without pause, for devices that speak by themselves.
//
// # Failures
//
// A failed reading is repeated once after 10 ms, for the single NACK that happens on every bus. When that fails too, the
// sensor is failing, and is tried after 1 s (or its interval, if that is shorter), 2 s, 4 s and so on up to 1 min (10 s where it cannot be opened) instead of
// on its schedule. After five failures in a row, or at once when the bus is gone (os.ErrClosed), the driver is closed and
// opened anew; one that cannot be opened is missing. The state and the log change when the condition does, not with
// each failure.
//
// A sensor that answers the same for too long, in all fields and to the last bit, is frozen: real measurements have noise, and a chip or
// converter that hangs behind a bus that works has none. It is told, and its readings are kept: whether they are wrong, only the
// receiver can know. That is off unless the sensor's configuration sets a time for it.
//
// # Goroutines
//
// Run is one goroutine's loop. The driver and the filter belong to a worker goroutine while it has something to do, and
// Run waits for it: until its deadline, then two seconds more. A worker that has not come back by then is stuck in the kernel or in
// a wrong driver; the sensor is stale, nothing more is started for it until the worker returns, and so there is never more than
// one. Only such a worker can outlive Run, which then returns an error.
package sampling

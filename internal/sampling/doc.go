// Package sampling measures with one sensor on its schedule and survives everything that the sensor
// does. Schedules, back-off, the lock of a bus and the state of a sensor live here; what a device
// is does not (drivers), nor what becomes of a measurement (internal/filter, and the Sink).
//
// # Schedule
//
// A sensor is read at whole multiples of its interval: every 10 s at :00, :10, :20. Where the
// multiples lie is decided by the wall clock when Run begins and at every Apply; from there on only
// the time since power-up counts, so that a step of the wall clock changes nothing. A reading that
// takes longer than the interval costs the multiples it covers: they are counted as skipped, never
// made up for. Below 5 ms a timer is too coarse to be late by less than an interval: then a wake-up
// makes all the readings that are due, up to 50 ms worth of them. An interval of 0 reads without
// pause, for devices that speak by themselves.
//
// # Failures
//
// A failed reading is repeated once after 10 ms, for the single NACK that happens on every bus.
// When that fails too, the sensor is failing, and is tried once each after 1 s (or its interval, if
// that is shorter), 2 s, 4 s and so on up to 1 min (10 s if it cannot be opened) instead of on its
// schedule, give or take a quarter: what failed together must not come back together. After five
// failures in a row, or at once when the bus is gone (os.ErrClosed), the driver is closed and
// opened again; one that cannot be opened is missing.
//
// A sensor that answers without a value in any field, three times in a row, is bad: its word order,
// scale or registers are wrong, or what it measures is out of its reach. Its readings go to the
// sink all the same.
//
// A sensor that answers the same for too long, in all fields and to the last bit, is frozen: real
// measurements have noise, and a chip or converter that hangs behind a bus that works has none. It
// is reported, and its readings are kept: whether they are wrong, only the receiver can know. That
// is off unless the sensor's configuration sets a time for it.
//
// # Buses
//
// Sensors on one bus take turns. Those whose last reading succeeded go first. One that fails gets
// its turn when it has waited for 5 s and none of the others has waited for such a one already: a
// sensor that works waits for one dead device at most. The time of a reading begins with its turn.
// One that did not come within 10 s is not a failure: the reading is skipped, and the sensor stays
// what it is, with the error that it had. Three in a row make it stale.
//
// # What is reported
//
// The log and OnState hear of a change of the condition, of the kind of error while the sensor
// fails, and of a sink that begins or ceases to refuse readings; the log also of the fields that
// have no value. Nothing is reported with each reading or failure. Up to six changes a minute are
// reported at once; a sensor that has more flaps, and is reported once a minute until it does not.
// Fields that come and go are limited in the same way but concern the log alone: a sensor may be
// well without all of them.
//
// # Goroutines
//
// Run is one goroutine's loop. The driver and the filter belong to a worker goroutine while it has
// something to do, and Run waits for it: until the deadline of what it does, then two seconds more.
// A worker that has not come back by then is stuck in the kernel or in a wrong driver; the sensor
// is stale, nothing more is started for it until the worker returns, and so there is never more
// than one. Only such a worker can outlive Run, which then returns an error.
package sampling

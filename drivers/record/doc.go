// Package record writes down what goes over a bus between a driver and its device, so that a
// session on a machine far away becomes a test: `fieldgate record` writes a Recording, and
// drivertest.Replay plays it to the driver again. A Recorder stands between a driver and the buses;
// it changes nothing, and ends with the Recording's limit.
package record

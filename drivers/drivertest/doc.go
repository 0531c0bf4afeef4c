// Package drivertest has what tests of drivers need: Suite, which every driver must pass, and the
// fake buses that it runs on. Only tests import it.
//
//	func TestDriver(t *testing.T) {
//		drivertest.Suite{
//			Spec: bme280.Spec,
//			New:  func() *drivertest.Buses { return drivertest.OnI2C(0x76, bme280test.New()) },
//		}.Run(t)
//	}
//
// The suite lets every transaction fail, and garbles in many ways all that the device says: then a
// driver returns an error or values that can be, within a bound, and measures well again as soon as
// it ends. A Suite says whether a checksum must notice it.
//
// OnSerial does the same for a Device at the other end of a serial line or connection, which speaks
// by itself, answers, or both. Pty is a real port, for what a fake cannot show: line settings,
// unplugging, and programs that others wrote.
//
// A fake bus is for faults and for a device that was written down as a model. That a driver's
// traffic is what the device wants is shown by the data sheet's examples in the driver's own tests,
// not here.
package drivertest

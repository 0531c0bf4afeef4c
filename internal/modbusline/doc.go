// Package modbusline reads, writes and finds Modbus devices by hand, without a configuration:
// fieldgate modbus. All requests are those of the driver.
package modbusline

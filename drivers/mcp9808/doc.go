// Package mcp9808 is the driver of Microchip's MCP9808 (temperature), after the data sheet DS25095A.
//
// The chip measures four times a second while the driver is open, in steps of 0.0625 °C; Read returns what it measured last. The upper
// three bits of the temperature's register are alarms and no part of the number. For 250 ms after power-up the chip says 0 °C, which cannot
// be told from a measurement.
package mcp9808

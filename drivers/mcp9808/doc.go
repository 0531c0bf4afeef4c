// Package mcp9808 is the driver of Microchip's MCP9808 (temperature).
//
// The chip measures four times a second while the driver is open, in steps of 0.0625 °C; Read
// returns what it measured last. The upper three bits of the temperature's register are alarms and
// not part of the number.
//
// # Data sheet
//
// Microchip DS25095A.
//
// # Wiring
//
// VDD 2.7 to 5.5 V, on a Raspberry Pi 3.3 V; GND, SDA, SCL; the pins A0 to A2 choose the address,
// 0x18 to 0x1f.
//
// # Range
//
// Accuracy ±0.5 °C from -20 to 100 °C.
//
// # Sources of error
//
// For 250 ms after power-up the chip reports 0 °C, which cannot be distinguished from a
// measurement. It measures its own leads: the board under it.
package mcp9808

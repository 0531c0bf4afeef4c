// Package mhz19 is the driver of the Winsen MH-Z19B and MH-Z19C, which measure carbon dioxide by
// infrared light.
//
// The driver requests each reading, and the sensor answers at once with its newest measurement.
//
// # Data sheet
//
// Winsen's user's manuals of MH-Z19B and MH-Z19C, V1.0 and later: serial port (UART), commands 0x86
// and 0x79.
//
// # Wiring
//
// Vin to 5 V (the MH-Z19C tolerates no more than 5.1 V), GND; the sensor's TX to RX of the port,
// its RX to TX. Its signals have 3.3 V.
//
// # Range
//
// From 400 ppm to 2,000, 5,000 or 10,000 ppm, depending on the model, ±(50 ppm + 5 %).
//
// # Sources of error
//
// For the first three minutes after power-up the sensor sends made-up numbers: they are Bad
// ("warming up"), since it cannot be known whether the sensor was running before. By default it
// takes the lowest value of each day for fresh air of 400 ppm, which is right in a living room and
// wrong in a greenhouse or a stable: there, self_calibration = false.
package mhz19

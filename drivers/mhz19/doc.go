// Package mhz19 is the driver of the Winsen MH-Z19B and MH-Z19C, which measure carbon dioxide by infrared light. Sources: their user's
// manuals, V1.0 and later: serial port (UART), commands 0x86 and 0x79.
//
// For the first three minutes after power-up the sensor sends made-up numbers: they are Bad ("warming up"), since nobody can know whether the
// sensor was running before. By itself it takes the lowest value of each day for fresh air of 400 ppm, which is right in a living
// room and wrong in a greenhouse or a stable: there, self_calibration = false.
package mhz19

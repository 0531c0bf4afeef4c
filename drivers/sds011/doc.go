// Package sds011 is the driver of the Nova Fitness SDS011, which measures fine dust by laser.
//
// The sensor sends a frame every second; with a period it measures for 30 s, reports once, and
// sleeps until the next: it keeps that setting without power.
//
// # Data sheet
//
// Nova Fitness: SDS011 specification V1.3 and Laser Dust Sensor Control Protocol V1.3.
//
// # Wiring
//
// 5 V, GND; the sensor's TXD to RX of the port, its RXD to TX; or the USB adapter that comes with
// it. Its signals have 3.3 V.
//
// # Range
//
// Accuracy ±15 % or 10 µg/m³; particles from 0.3 µm.
//
// # Sources of error
//
// If it measures continuously, its numbers are Bad ("warming up") for 30 s after it was switched
// on. Its laser lasts 8,000 hours, less than a year; period = n lets it measure by itself for 30 s
// every n minutes. In fog and above 70 %RH droplets count as dust.
package sds011

// Package sds011 is the driver of the Nova Fitness SDS011, which measures fine dust by laser. Sources: the SDS011 specification V1.3 and the
// Laser Dust Sensor Control Protocol V1.3.
//
// The sensor sends a frame every second. Its laser lasts 8000 hours, less than a year; with period = n (minutes) it measures by itself for
// 30 s every n minutes, reports once, and sleeps in between: the sensor keeps that setting without power. Where it measures
// continuously, its numbers are not to be trusted for 30 s after it was switched on: they are Bad ("warming up").
package sds011

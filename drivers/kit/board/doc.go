// Package board names the board and the system that the program runs on, and says how this system
// enables a bus, so that no message sends an operator to a tool that is not there.
//
// Board and system decide together: raspi-config is part of Raspberry Pi OS only, the firmware of a
// Raspberry Pi reads config.txt under any system, and Debian writes that file anew with every
// kernel.
package board

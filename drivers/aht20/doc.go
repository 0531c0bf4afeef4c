// Package aht20 is the driver of Aosong's AHT20, AHT21 and AHT25 (temperature, humidity), after the data sheet "AHT20 Product manuals"
// version 1.1; section numbers are its.
//
// The chip must be initialised once after power-up, which the bit "calibrated" of its status tells; Read sees there that the power was
// lost, says so, and initialises again at the next call. The chip sleeps between measurements. It has no id, and one address.
//
// Its predecessors AHT10 and AHT15 have the same address and almost the same commands but send no checksum: every reading of theirs
// fails here.
package aht20

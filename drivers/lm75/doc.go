// Package lm75 is the driver of the thermometers with the registers of National's LM75: LM75 and
// its many successors, and Texas Instruments' TMP102, TMP105 and TMP1075.
//
// The temperature is the upper bits of a word of 1/256 °C; the chips differ in how many of them
// count. The LM75 and LM75B measure all the time. The others sleep, and Read starts one
// measurement, which sets the resolution too: otherwise a TMP105 would give steps of 0.5 °C after a
// loss of power.
//
// # Data sheet
//
// SNOS808 (LM75), NXP LM75B, Texas Instruments SBOS397 (TMP102), SBOS648 (TMP105), SBOS854
// (TMP1075).
//
// # Wiring
//
// VCC 3.3 V, GND, SDA, SCL; the pins A0 to A2 choose the address, 0x48 to 0x4f. A TMP102 has one
// pin: to ground 0x48, to the supply 0x49, to SDA 0x4a, to SCL 0x4b.
//
// # Range
//
// LM75: ±2 °C in steps of 0.5 °C; LM75B: steps of 0.125 °C; TMP102: ±0.5 °C in steps of 0.0625 °C;
// TMP105: ±2 °C; TMP1075: ±1 °C in steps of 0.0625 °C.
//
// # Sources of error
//
// A loss of power during the measurement is detected; with an LM75 one just before it is not. Only
// the TMP1075 has an id; the TMP102 has bits in its configuration that cannot be changed. The LM75
// and the TMP105 cannot be distinguished from other chips at these addresses, of which the ADS1115
// is the most common. The chip measures its own leads: the board under it.
package lm75

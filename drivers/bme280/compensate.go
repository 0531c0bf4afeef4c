package bme280

import (
	"encoding/binary"
	"math"
)

// What the result registers hold after a reset, and when a measurement was skipped (5.4.7 to
// 5.4.9).
const (
	notMeasured20 = 0x80000
	notMeasured16 = 0x8000
)

// A calibration is the chip's own, with the data sheet's names (4.2.2, table 16).
type calibration struct {
	t1                             uint16
	t2, t3                         int16
	p1                             uint16
	p2, p3, p4, p5, p6, p7, p8, p9 int16
	h1, h3                         uint8
	h2, h4, h5                     int16
	h6                             int8
}

// parseCalibration reads the registers 0x88 to 0xA1 and 0xE1 to 0xE7.
func parseCalibration(low *[26]byte, high *[7]byte) calibration {
	u := func(i int) uint16 { return binary.LittleEndian.Uint16(low[i:]) }
	s := func(i int) int16 { return int16(u(i)) }
	return calibration{
		t1: u(0), t2: s(2), t3: s(4),
		p1: u(6), p2: s(8), p3: s(10), p4: s(12), p5: s(14), p6: s(16), p7: s(18), p8: s(20), p9: s(22),
		h1: low[25],
		h2: int16(binary.LittleEndian.Uint16(high[:])),
		h3: high[2],
		// dig_H4 and dig_H5 have 12 bits each and share the register 0xE5; their upper bytes have
		// the sign.
		h4: int16(int8(high[3]))<<4 | int16(high[4]&0x0f),
		h5: int16(int8(high[5]))<<4 | int16(high[4]>>4),
		h6: int8(high[6]),
	}
}

// fine returns t_fine, the temperature from which the others are computed (4.2.3).
func (c *calibration) fine(raw int32) int32 {
	t1, t2, t3 := int32(c.t1), int32(c.t2), int32(c.t3)
	var1 := ((raw>>3 - t1<<1) * t2) >> 11
	var2 := (((raw>>4 - t1) * (raw>>4 - t1)) >> 12 * t3) >> 14
	return var1 + var2
}

// celsius returns the temperature in °C.
func celsius(fine int32) float64 { return float64((fine*5+128)>>8) / 100 }

// pascal returns the pressure in Pa, NaN if the calibration allows none (4.2.3, with 64 bits).
func (c *calibration) pascal(raw, fine int32) float64 {
	var1 := int64(fine) - 128000
	var2 := var1 * var1 * int64(c.p6)
	var2 += (var1 * int64(c.p5)) << 17
	var2 += int64(c.p4) << 35
	var1 = (var1*var1*int64(c.p3))>>8 + (var1*int64(c.p2))<<12
	var1 = ((int64(1)<<47 + var1) * int64(c.p1)) >> 33
	if var1 == 0 {
		return math.NaN()
	}
	p := int64(1048576) - int64(raw)
	p = ((p<<31 - var2) * 3125) / var1
	var1 = (int64(c.p9) * (p >> 13) * (p >> 13)) >> 25
	var2 = (int64(c.p8) * p) >> 19
	return float64((p+var1+var2)>>8+int64(c.p7)<<4) / 256
}

// humidity returns the relative humidity in %RH, 0 to 100 (4.2.3).
func (c *calibration) humidity(raw, fine int32) float64 {
	h1, h2, h3, h4, h5, h6 := int32(c.h1), int32(c.h2), int32(c.h3), int32(c.h4), int32(c.h5), int32(c.h6)
	v := fine - 76800
	v = ((raw<<14 - h4<<20 - h5*v + 16384) >> 15) *
		(((((v*h6)>>10*((v*h3)>>11+32768))>>10+2097152)*h2 + 8192) >> 14)
	v -= ((v >> 15 * (v >> 15)) >> 7 * h1) >> 4
	v = min(max(v, 0), 419430400)
	return float64(v>>12) / 1024
}

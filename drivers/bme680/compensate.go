package bme680

import (
	"math"
	"time"
)

// What the result registers hold after a reset, and when a measurement was skipped.
const (
	notMeasured20 = 0x80000
	notMeasured16 = 0x8000
)

// coefficients are the bytes of the registers 0x8A to 0xA0, 0xE1 to 0xEE and 0x00 to 0x04.
type coefficients struct {
	first  [23]byte
	second [14]byte
	third  [5]byte
}

// A calibration is the chip's own, with the data sheet's names.
type calibration struct {
	t1, t2, t3                              float64
	p1, p2, p3, p4, p5, p6, p7, p8, p9, p10 float64
	h1, h2, h3, h4, h5, h6, h7              float64
	gh1, gh2, gh3                           float64
	resHeatRange, resHeatVal, rangeSwErr    float64
}

func (c *coefficients) parse() calibration {
	u16 := func(b []byte) float64 { return float64(uint16(b[0]) | uint16(b[1])<<8) }
	s16 := func(b []byte) float64 { return float64(int16(uint16(b[0]) | uint16(b[1])<<8)) }
	s8 := func(b byte) float64 { return float64(int8(b)) }
	a, b, h := c.first[:], c.second[:], c.third[:]
	return calibration{
		t1: u16(b[8:]), t2: s16(a[0:]), t3: s8(a[2]),
		p1: u16(a[4:]), p2: s16(a[6:]), p3: s8(a[8]), p4: s16(a[10:]), p5: s16(a[12:]), p7: s8(a[14]), p6: s8(a[15]),
		p8: s16(a[18:]), p9: s16(a[20:]), p10: float64(a[22]),
		// par_h1 and par_h2 have 12 bits each and share the register 0xE2.
		h1: float64(uint16(b[2])<<4 | uint16(b[1]&0x0F)), h2: float64(uint16(b[0])<<4 | uint16(b[1]>>4)),
		h3: s8(b[3]), h4: s8(b[4]), h5: s8(b[5]), h6: float64(b[6]), h7: s8(b[7]),
		gh2: s16(b[10:]), gh1: s8(b[12]), gh3: s8(b[13]),
		resHeatVal: s8(h[0]), resHeatRange: float64(h[2] >> 4 & 3), rangeSwErr: float64(int8(h[4]) >> 4),
	}
}

// celsius returns the temperature in °C.
func (c *calibration) celsius(raw float64) float64 {
	v := raw/16384 - c.t1/1024
	return (v*c.t2 + v*v/64*c.t3*16) / 5120
}

// pascal returns the pressure in Pa at a temperature in °C, NaN if the calibration allows none.
func (c *calibration) pascal(raw, t float64) float64 {
	v1 := t*5120/2 - 64000
	v2 := v1*v1*c.p6/131072 + v1*c.p5*2
	v2 = v2/4 + c.p4*65536
	v1 = (c.p3*v1*v1/16384 + c.p2*v1) / 524288
	v1 = (1 + v1/32768) * c.p1
	if v1 == 0 {
		return math.NaN()
	}
	p := (1048576 - raw - v2/4096) * 6250 / v1
	return p + (c.p9*p*p/2147483648+p*c.p8/32768+p*p*p/(256*256*256)*c.p10/131072+c.p7*128)/16
}

// humidity returns the relative humidity in %RH, 0 to 100, at a temperature in °C.
func (c *calibration) humidity(raw, t float64) float64 {
	v := raw - (c.h1*16 + c.h3/2*t)
	v *= c.h2 / 262144 * (1 + c.h4/16384*t + c.h5/1048576*t*t)
	v += (c.h6/16384 + c.h7/2097152*t) * v * v
	return min(max(v, 0), 100)
}

// ohm returns the gas resistance of a BME680 in Ω, for the raw value and the range in which the
// chip measured.
func (c *calibration) ohm(raw float64, gasRange int) float64 {
	k1 := [16]float64{5: -1, 7: -0.8, 10: -0.2, 11: -0.5, 13: -1}
	k2 := [16]float64{4: 0.1, 5: 0.7, 7: -0.8, 8: -0.1}
	v := (1340 + 5*c.rangeSwErr) * (1 + k1[gasRange]/100)
	return 1 / ((1 + k2[gasRange]/100) * 0.000000125 * float64(int(1)<<gasRange) * ((raw-512)/v + 1))
}

// ohmHigh returns the gas resistance of a BME688 in Ω.
func ohmHigh(raw float64, gasRange int) float64 {
	return 1e6 * float64(int(262144)>>gasRange) / (4096 + (raw-512)*3)
}

// setPoint returns what the register of the heater's resistance gets for a target temperature in
// ambient air, both in °C.
func (c *calibration) setPoint(target, ambient float64) byte {
	v1 := c.gh1/16 + 49
	v2 := c.gh2/32768*0.0005 + 0.00235
	v3 := v1*(1+v2*target) + c.gh3/1024*ambient
	return byte(min(max(3.4*(v3*4/(4+c.resHeatRange)/(1+c.resHeatVal*0.002)-25), 0), 255))
}

// gasWait returns what the register of the heater's duration gets: six bits of milliseconds, and
// two for a factor of 1, 4, 16 or 64.
func gasWait(d time.Duration) byte {
	ms, factor := d.Milliseconds(), byte(0)
	for ms > 0x3F {
		ms /= 4
		factor++
	}
	if factor > 3 {
		return 0xFF
	}
	return byte(ms) | factor<<6
}

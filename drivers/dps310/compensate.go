package dps310

import "math/bits"

// notMeasured is what the result registers hold after a reset.
const notMeasured = -1 << 23

// signed returns the number that is in the lower n bits as two's complement.
func signed(v uint32, n int) int32 { return int32(v<<(32-n)) >> (32 - n) }

// coefficients are the chip's own, with the data sheet's names.
type coefficients struct {
	c0, c1                  float64 // 12 bits
	c00, c10                float64 // 20 bits
	c01, c11, c20, c21, c30 float64 // 16 bits
}

// parseCoefficients reads the registers 0x10 to 0x21, where numbers of 12 and 20 bits share bytes.
func parseCoefficients(b *[18]byte) coefficients {
	u := func(i int) uint32 { return uint32(b[i]) }
	s16 := func(i int) float64 { return float64(signed(u(i)<<8|u(i+1), 16)) }
	return coefficients{
		c0:  float64(signed(u(0)<<4|u(1)>>4, 12)),
		c1:  float64(signed(u(1)&0xF<<8|u(2), 12)),
		c00: float64(signed(u(3)<<12|u(4)<<4|u(5)>>4, 20)),
		c10: float64(signed(u(5)&0xF<<16|u(6)<<8|u(7), 20)),
		c01: s16(8), c11: s16(10), c20: s16(12), c21: s16(14), c30: s16(16),
	}
}

// scale returns the scale factor kT or kP of that many averaged measurements (data sheet,
// "compensation scale factors").
func scale(samples int) float64 {
	return []float64{524288, 1572864, 3670016, 7864320, 253952, 516096, 1040384, 2088960}[bits.Len(uint(samples))-1]
}

// celsius returns the temperature in °C for a scaled raw one.
func (c *coefficients) celsius(t float64) float64 { return c.c0/2 + c.c1*t }

// pascal returns the pressure in Pa for scaled raw pressure and temperature.
func (c *coefficients) pascal(p, t float64) float64 {
	return c.c00 + p*(c.c10+p*(c.c20+p*c.c30)) + t*c.c01 + t*p*(c.c11+p*c.c21)
}

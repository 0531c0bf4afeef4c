package stream

// CRC16 continues a checksum of 16 bits over b, the lowest bit of each byte first. poly is the
// polynomial with its bits reversed, such as 0xa001 for x¹⁶+x¹⁵+x²+1.
func CRC16(poly, crc uint16, b []byte) uint16 {
	for _, v := range b {
		crc ^= uint16(v)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ poly
			} else {
				crc >>= 1
			}
		}
	}
	return crc
}

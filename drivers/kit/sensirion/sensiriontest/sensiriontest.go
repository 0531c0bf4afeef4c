// Package sensiriontest has what models of Sensirion's sensors share.
package sensiriontest

import "github.com/fieldgate/fieldgate/drivers/kit/sensirion"

// Pack returns words as a sensor sends them, each with its checksum.
func Pack(words ...uint16) []byte {
	var b []byte
	for _, w := range words {
		hi, lo := byte(w>>8), byte(w)
		b = append(b, hi, lo, sensirion.CRC(hi, lo))
	}
	return b
}

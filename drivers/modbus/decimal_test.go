package modbus

import (
	"encoding/binary"
	"math"
	"testing"
)

func TestValuesAreShortDecimals(t *testing.T) {
	float := func(v float32) []byte { return binary.BigEndian.AppendUint32(nil, math.Float32bits(v)) }
	tests := []struct {
		name string
		r    Register
		data []byte
		want float64
	}{
		{"scaled", Register{Scale: 0.01}, []byte{0x5c, 0xdd}, 237.73},
		{"scaled and shifted", Register{Scale: 0.1, Offset: -273.15}, []byte{0x0b, 0x73}, 19.95},
		{"signed", Register{Type: "int16", Scale: 0.001}, []byte{0xcf, 0xc7}, -12.345},
		{"uint32", Register{Type: "uint32", Scale: 0.0001}, []byte{0xff, 0xff, 0xff, 0xff}, 429496.7295},
		{"float32", Register{Type: "float32"}, float(230.1), 230.1},
		{"float32 scaled", Register{Type: "float32", Scale: 0.1}, float(230.1), 23.01},
		{"float32 of many digits", Register{Type: "float32"}, float(123456789), 123456790},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.r.Field = "v"
			s := &settings{registers: []Register{test.r}, byteOrder: "big", wordOrder: "big"}
			e := s.entries()[0]
			v := e.value(test.data)
			if v.Float() != test.want {
				t.Errorf("want %v, got %#v", test.want, v)
			}
			if back, err := e.registers(v); err != nil || string(back) != string(test.data) {
				t.Errorf("written: want % x, got % x, %v", test.data, back, err)
			}
		})
	}
}

package modbus

import (
	"testing"

	"github.com/fieldgate/fieldgate/drivers"
)

// Whatever a map says and a device has, there is a mistake or a value, of the kind that is
// promised.
func FuzzRegister(f *testing.F) {
	f.Add(uint8(0), 0, 1, 8, 15, 2.0, 0.1, 9, []byte{1, 2, 3, 4, 5, 6, 7, 8})
	f.Add(uint8(12), 0, 4, 0, 0, 0.0, 0.0, 0, []byte("ABCDEFGH"))
	f.Add(uint8(6), 3, 0, -1, 70, -1.0, 1e300, -5, []byte{})
	f.Fuzz(func(t *testing.T, typ uint8, address, length, low, high int, invalid, scale float64, factor int, data []byte) {
		names := append(forms(), form{name: "float"}, form{name: ""})
		r := Register{Field: "x", Address: address, Type: names[int(typ)%len(names)].name, Length: length, Bit: low, Scale: scale}
		if high != 0 {
			r.Bits = []int{low, high}
		}
		if invalid != 0 {
			r.Invalid = []float64{invalid}
		}
		if factor != 0 {
			r.ScaleRegister = &factor
		}
		o := SpecTCP.Options().(*TCP)
		o.Registers, o.MaxGap, o.Invalid = []Register{r}, 9, sunspec
		if o.Check() != nil {
			_ = SpecTCP.Fields(o) // does not panic
			return
		}
		s := o.settings()
		d := &dev{settings: s, entries: s.entries(), values: make([]drivers.Value, 1)}
		d.blocks = s.plan(d.entries)
		for i := range d.blocks {
			copy(d.blocks[i].data, data)
		}
		for i := range d.blocks {
			if d.decode(&d.blocks[i]) != nil { // the other order of words
				return
			}
		}
		v := d.values[0]
		if v.Kind() != d.entries[0].kind && v.Kind() != drivers.KindBad || v.Kind() == drivers.KindBad && v.Reason() == "" {
			t.Fatalf("%+v became %#v", r, v)
		}
		if v.Kind() == drivers.KindInt || v.Kind() == drivers.KindFloat {
			if back, err := d.entries[0].registers(v); err == nil && len(back) != 2*d.entries[0].size {
				t.Fatalf("%+v: %#v became % x", r, v, back)
			}
		}
	})
}

package drivertest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
)

// A garbling is something that can happen to what a device says on its way to the driver.
type garbling struct {
	name   string // with the seed if it is random
	change func(said []byte) []byte
	empty  bool // no value is left
}

const (
	// places is at how many bytes of something long it is garbled, spread evenly. All that chips
	// say is shorter.
	places = 40
	// seeds is how many times something random is tried.
	seeds = 8
)

// flip returns the garbling of one bit.
func flip(bit int) garbling {
	return garbling{name: fmt.Sprintf("bit %d of byte %d flipped", bit%8, bit/8), change: func(said []byte) []byte {
		if bit/8 < len(said) {
			said[bit/8] ^= 1 << (bit % 8)
		}
		return said
	}}
}

// noise returns bytes of all values.
func noise(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// ofTransfer returns what can happen to n bytes that are read in a transfer. Their number stays:
// the adapter has clocked them.
func ofTransfer(n int) []garbling {
	all := []garbling{
		{name: "data held low", change: func(said []byte) []byte { return make([]byte, len(said)) }},
		{name: "data not driven", change: func(said []byte) []byte { return bytes.Repeat([]byte{0xff}, len(said)) }},
		{name: "first byte lost", change: func(said []byte) []byte { return append(said[1:], 0xff) }},
		{name: "a byte too many before", change: func(said []byte) []byte { return append([]byte{0xff}, said...) }},
	}
	for bit := range 8 * n {
		all = append(all, flip(bit))
	}
	for seed := range uint64(seeds) {
		all = append(all, garbling{name: fmt.Sprintf("random bytes, seed %d", seed), change: func(said []byte) []byte { return noise(seed, len(said)) }})
	}
	return all
}

// ofText returns what can happen to n bytes that are said on a line or stand in a file.
func ofText(n int) []garbling {
	all := []garbling{
		{name: "nothing of it", change: func([]byte) []byte { return nil }, empty: true},
		{name: "twice", change: func(said []byte) []byte { return append(said, said...) }},
	}
	for place := range min(n, places) {
		i := place * n / min(n, places)
		at := func(name string, change func(said []byte) []byte) {
			all = append(all, garbling{name: fmt.Sprintf(name, i), change: func(said []byte) []byte {
				if i >= len(said) { // it says something else now
					return said
				}
				return change(said)
			}})
		}
		at("cut off before byte %d", func(said []byte) []byte { return said[:i] })
		at("begins with byte %d", func(said []byte) []byte { return said[i:] })
		at("byte %d lost", func(said []byte) []byte { return slices.Delete(said, i, i+1) })
		at("byte %d doubled", func(said []byte) []byte { return slices.Insert(said, i, said[i]) })
		all = append(all, flip(8*i+place%8))
	}
	for seed := range uint64(seeds) {
		all = append(all,
			garbling{name: fmt.Sprintf("noise before it, seed %d", seed), change: func(said []byte) []byte { return append(noise(seed, 5), said...) }},
			garbling{name: fmt.Sprintf("noise instead, seed %d", seed), change: func(said []byte) []byte { return noise(seed, len(said)) }},
		)
	}
	return all
}

// ofNumber returns what a file can say instead of a number.
func ofNumber() []garbling {
	all := []garbling{{name: "no line end", change: func(said []byte) []byte { return bytes.TrimRight(said, "\n") }}}
	instead := func(empty bool, texts ...string) {
		for _, text := range texts {
			all = append(all, garbling{name: fmt.Sprintf("%q instead", text), change: func([]byte) []byte { return []byte(text) }, empty: empty})
		}
	}
	instead(true, "\n", "\x00", "-", "x\n", "nan\n", "inf\n")
	instead(false, "1e999\n", "-1e308\n", "9223372036854775807\n", "-9223372036854775808\n", "99999999999999999999\n")
	return all
}

// each is in the place of a number if all that the device says is garbled.
const each = -1

// A garbled is what a device says and what came of it, the last time, for the message of a failure.
type garbled struct {
	garbling
	n          int
	said, came []byte
}

// garble garbles the n-th thing that the device says from now on, or each.
func garble(buses *Buses, n int, g garbling) *garbled {
	it := &garbled{garbling: g, n: n}
	buses.Garble(func(i int, said []byte) []byte {
		if n != each && n != i {
			return said
		}
		it.said = bytes.Clone(said)
		it.came = g.change(said)
		return it.came
	})
	return it
}

func (g *garbled) String() string {
	if g.n == each {
		return fmt.Sprintf("each answer, %s: the last, %q, came as %q", g.name, g.said, g.came)
	}
	return fmt.Sprintf("answer %d, %s: %q came as %q", g.n, g.name, g.said, g.came)
}

// listen returns what the device says while f runs.
func listen(buses *Buses, f func()) (heard [][]byte) {
	buses.Garble(func(_ int, said []byte) []byte { heard = append(heard, bytes.Clone(said)); return said })
	defer buses.Garble(nil)
	f()
	return heard
}

package reading

import (
	"encoding/binary"
	"math"

	"github.com/fieldgate/fieldgate/drivers"
)

// kindSummary is the kind of a field of a bucket that has numbers instead of a value: name, count
// as a varint, then mean, least and greatest as 8 bytes little endian each.
const kindSummary = 0x80

// An Aggregate is one field of a bucket, which stands for several readings. A field that was a
// number in at least one of them has N above 0 and its mean, least and greatest number; other
// fields, and those that were always bad, have the last value.
type Aggregate struct {
	Last     drivers.Value // if N is 0; else only its name counts
	N        uint64        // numbers
	Mean     float64
	Min, Max float64
}

// aggregate returns the aggregate of one value.
func aggregate(v drivers.Value) Aggregate {
	switch v.Kind() {
	case drivers.KindFloat, drivers.KindInt:
		f := v.Float()
		return Aggregate{Last: v, N: 1, Mean: f, Min: f, Max: f}
	}
	return Aggregate{Last: v}
}

// Merge takes in the same field of later readings.
func (a *Aggregate) Merge(later Aggregate) {
	switch {
	case later.N == 0 && a.N > 0:
	case a.N == 0:
		*a = later
	default:
		n := a.N + later.N
		share := float64(later.N) / float64(n)
		mean := a.Mean + (later.Mean-a.Mean)*share
		if math.IsInf(mean, 0) || math.IsNaN(mean) {
			mean = a.Mean*(1-share) + later.Mean*share
		}
		a.N, a.Min, a.Max = n, min(a.Min, later.Min), max(a.Max, later.Max)
		a.Mean = min(max(mean, a.Min), a.Max)
	}
}

// AppendBucket appends the body of a bucket to dst.
func AppendBucket(dst []byte, fields []Aggregate) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(fields)))
	for _, a := range fields {
		if a.N == 0 {
			dst = appendValue(dst, a.Last)
			continue
		}
		dst = append(dst, kindSummary)
		dst = appendString(dst, a.Last.Field)
		dst = binary.AppendUvarint(dst, a.N)
		for _, f := range [...]float64{a.Mean, a.Min, a.Max} {
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(f))
		}
	}
	return dst
}

// DecodeBucket appends the fields of a bucket's body to dst. The body of a reading is that of a
// bucket of one.
func (d *Decoder) DecodeBucket(dst []Aggregate, body []byte) ([]Aggregate, error) {
	n, w := binary.Uvarint(body)
	if w <= 0 || n > uint64(len(body)) {
		return dst, ErrMalformed
	}
	r := reader{body[w:], true}
	for range n {
		kind := r.byte()
		field := d.name(r.bytes())
		var a Aggregate
		if kind == kindSummary {
			a = Aggregate{Last: drivers.Value{Field: field}, N: r.uvarint()}
			for _, f := range [...]*float64{&a.Mean, &a.Min, &a.Max} {
				*f = math.Float64frombits(r.uint64())
				r.ok = r.ok && !math.IsNaN(*f) && !math.IsInf(*f, 0)
			}
			r.ok = r.ok && a.N > 0
		} else {
			a = aggregate(r.value(drivers.Kind(kind), field))
		}
		if !r.ok {
			return dst, ErrMalformed
		}
		dst = append(dst, a)
	}
	return dst, nil
}

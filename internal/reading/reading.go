// Package reading is the binary form of a reading's body: what the store keeps of one measurement
// besides its identity (run, sensor, seq) and its time, which stand beside it. It knows no
// format of the cloud's; those are rendered from it when a reading is sent.
//
// A body is the number of fields as a varint, then each field: its kind (drivers.Kind, one byte),
// its name (length as a varint, bytes), and its value: a float as 8 bytes little endian, an int as
// a zigzag varint, a bool as one byte, a string or the reason of a bad field as length and bytes.
// Names repeat from reading to reading; the store's compression takes care of that. The body of a
// bucket, which a thinned store has in place of several readings, has summaries among its fields
// (bucket.go).
package reading

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/fieldgate/fieldgate/drivers"
)

// ErrMalformed says that bytes are not the body of a reading.
var ErrMalformed = errors.New("malformed reading")

// Append appends the body of values to dst.
func Append(dst []byte, values []drivers.Value) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(values)))
	for _, v := range values {
		dst = appendValue(dst, v)
	}
	return dst
}

func appendValue(dst []byte, v drivers.Value) []byte {
	dst = append(dst, byte(v.Kind()))
	dst = appendString(dst, v.Field)
	switch v.Kind() {
	case drivers.KindFloat:
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.Float()))
	case drivers.KindInt:
		dst = binary.AppendVarint(dst, v.Int())
	case drivers.KindBool:
		if v.Bool() {
			dst = append(dst, 1)
		} else {
			dst = append(dst, 0)
		}
	case drivers.KindString:
		dst = appendString(dst, v.Text())
	case drivers.KindBad:
		dst = appendString(dst, v.Reason())
	}
	return dst
}

// maxNames bounds what a Decoder remembers.
const maxNames = 1024

// A Decoder takes bodies apart. It remembers the names of fields, so that a name costs no
// allocation when it comes again. It is used by one goroutine at a time; the zero value is ready.
type Decoder struct{ names map[string]string }

// name returns b as a string.
func (d *Decoder) name(b []byte) string {
	if s, ok := d.names[string(b)]; ok {
		return s
	}
	s := string(b)
	if d.names == nil {
		d.names = map[string]string{}
	}
	if len(d.names) < maxNames {
		d.names[s] = s
	}
	return s
}

// Decode appends the values of a body to dst. Their texts are copies; body stays the caller's.
func (d *Decoder) Decode(dst []drivers.Value, body []byte) ([]drivers.Value, error) {
	n, w := binary.Uvarint(body)
	if w <= 0 || n > uint64(len(body)) {
		return dst, ErrMalformed
	}
	r := reader{body[w:], true}
	for range n {
		kind := drivers.Kind(r.byte())
		field := d.name(r.bytes())
		v := r.value(kind, field)
		if !r.ok {
			return dst, ErrMalformed
		}
		dst = append(dst, v)
	}
	return dst, nil
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// reader takes a body apart; ok turns false, and stays so, at the first thing that does not fit.
type reader struct {
	b  []byte
	ok bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.ok = false
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

// value reads what follows the name of a field.
func (r *reader) value(kind drivers.Kind, field string) drivers.Value {
	switch kind {
	case drivers.KindFloat:
		return drivers.Float(field, math.Float64frombits(r.uint64()))
	case drivers.KindInt:
		return drivers.Int(field, r.varint())
	case drivers.KindBool:
		return drivers.Bool(field, r.byte() != 0)
	case drivers.KindString:
		return drivers.String(field, r.string())
	case drivers.KindBad:
		return drivers.Bad(field, r.string())
	}
	r.ok = false
	return drivers.Value{}
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	v, w := binary.Uvarint(r.b)
	r.ok = r.ok && w > 0
	r.take(max(w, 0))
	return v
}

func (r *reader) varint() int64 {
	v, w := binary.Varint(r.b)
	r.take(w)
	r.ok = r.ok && w > 0
	return v
}

func (r *reader) string() string { return string(r.bytes()) }

func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.ok = false
		return nil
	}
	return r.take(int(n))
}

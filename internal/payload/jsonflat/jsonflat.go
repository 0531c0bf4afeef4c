// Package jsonflat is the format "json-flat": one object for one reading, its values beside its identity, for rule
// engines that take no arrays. A field that has the name of a member of the identity is told with "_" behind it.
package jsonflat

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/payload"
	"github.com/fieldgate/fieldgate/internal/reading"
)

// Encoder implements payload.Encoder.
type Encoder struct{ decoder reading.Decoder }

// ContentType implements payload.Encoder.
func (*Encoder) ContentType() string { return "application/json" }

// BatchMax implements payload.Encoder.
func (*Encoder) BatchMax() int { return 1 }

var members = []string{"v", "gateway", "store", "boot", "sensor", "seq", "ts", "up", "bad"}

// Append implements payload.Encoder. The batch has one reading.
func (e *Encoder) Append(dst []byte, b *payload.Batch) ([]byte, error) {
	r := &b.Readings[0]
	var stack [16]drivers.Value
	values, err := e.decoder.Decode(stack[:0], r.Body)
	if err != nil {
		return dst, fmt.Errorf("reading %d of %s: %w", r.Seq, b.Sensor, err)
	}
	dst = payload.AppendIdentity(dst, b)
	dst = append(dst, `,"seq":`...)
	dst = strconv.AppendUint(dst, r.Seq, 10)
	dst = append(dst, ',')
	dst = payload.AppendTime(dst, r)
	for _, v := range values {
		if slices.Contains(members, v.Field) {
			v.Field += "_"
		}
		dst = append(dst, ',')
		dst = payload.AppendMember(dst, v)
	}
	dst = payload.AppendBad(dst, values)
	return append(dst, '}'), nil
}

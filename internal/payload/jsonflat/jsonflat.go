// Package jsonflat is the format "json-flat": one object for one reading, its values beside its
// identity, for rule engines that take no arrays. A field that has the name of a member of the
// identity is reported with "_" behind it.
package jsonflat

import (
	"fmt"
	"slices"

	"github.com/fieldgate/fieldgate/internal/payload"
	"github.com/fieldgate/fieldgate/internal/reading"
)

// Encoder implements payload.Encoder.
type Encoder struct{ decoder reading.Decoder }

// ContentType implements payload.Encoder.
func (*Encoder) ContentType() string { return "application/json" }

// NeedsTime implements payload.Encoder.
func (*Encoder) NeedsTime() bool { return false }

// BatchMax implements payload.Encoder.
func (*Encoder) BatchMax() int { return 1 }

var members = []string{"v", "gateway", "run", "sensor", "seq", "seq_to", "n", "ts", "ts_to", "up", "up_to", "bad"}

// Append implements payload.Encoder. The batch has one reading.
func (e *Encoder) Append(dst []byte, b *payload.Batch) ([]byte, error) {
	r := &b.Readings[0]
	var stack [16]reading.Aggregate
	fields, err := e.decoder.DecodeBucket(stack[:0], r.Body)
	if err != nil {
		return dst, fmt.Errorf("reading %d of %s: %w", r.Seq, b.Sensor, err)
	}
	dst = payload.AppendIdentity(dst, b)
	dst = payload.AppendMoment(append(dst, ','), r)
	for i := range fields {
		f := &fields[i]
		if slices.Contains(members, f.Last.Field) {
			f.Last.Field += "_"
		}
		dst = payload.AppendMember(append(dst, ','), f, r.SeqTo > 0)
	}
	dst = payload.AppendBad(dst, fields)
	return append(dst, '}'), nil
}

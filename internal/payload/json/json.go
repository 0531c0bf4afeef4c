// Package json is the format "json": one object for a batch of readings of one sensor, as
// docs/topics.md describes it.
package json

import (
	"fmt"

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
func (*Encoder) BatchMax() int { return 0 }

// Append implements payload.Encoder.
func (e *Encoder) Append(dst []byte, b *payload.Batch) ([]byte, error) {
	dst = payload.AppendIdentity(dst, b)
	dst = append(dst, `,"readings":[`...)
	var stack [16]reading.Aggregate
	for i := range b.Readings {
		r := &b.Readings[i]
		fields, err := e.decoder.DecodeBucket(stack[:0], r.Body)
		if err != nil {
			return dst, fmt.Errorf("reading %d of %s: %w", r.Seq, b.Sensor, err)
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = payload.AppendMoment(append(dst, '{'), r)
		dst = append(dst, `,"fields":{`...)
		for j := range fields {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = payload.AppendMember(dst, &fields[j], r.SeqTo > 0)
		}
		dst = append(dst, '}')
		dst = payload.AppendBad(dst, fields)
		dst = append(dst, '}')
	}
	return append(dst, "]}"...), nil
}

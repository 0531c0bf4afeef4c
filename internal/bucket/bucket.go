// Package bucket makes fewer readings of many: buckets with the mean, the least and the greatest
// number of each field, which a store that is nearly full keeps in place of its oldest readings. It
// is a pure function that package buffer is handed: when it runs and on what is the store's.
//
// A bucket stands for readings of one sensor that follow each other without a hole in their
// numbers, within one period of the time since power-up: wall time may not be known. Fields that
// are not numbers keep their last value (package reading). A reading that is alone in its period
// stays as it is.
package bucket

import (
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/reading"
)

// periods are the lengths of buckets, by level. Each is a multiple of the one before, so that
// buckets fit into those of the next level.
var periods = [buffer.ThinLevels]time.Duration{time.Minute, 10 * time.Minute, time.Hour}

// Thin is buffer.Options.Thin. A record whose body is malformed stays as it is.
func Thin(level int, in []buffer.Record) []buffer.Record {
	period := periods[level-1]
	var decoder reading.Decoder
	out := make([]bucket, 0, len(in))
	open := map[string]int{} // of each sensor, the bucket that may grow
	for _, r := range in {
		fields, err := decoder.DecodeBucket(nil, r.Body)
		if err != nil {
			delete(open, r.Stream)
			out = append(out, bucket{record: r})
			continue
		}
		if i, ok := open[r.Stream]; ok && out[i].takes(r, period) {
			out[i].merge(r, fields)
			continue
		}
		open[r.Stream] = len(out)
		out = append(out, bucket{record: r, fields: fields})
	}
	records := in[:0:0]
	for i := range out {
		records = append(records, out[i].finish())
	}
	return records
}

// A bucket is a record and what was merged into it.
type bucket struct {
	record buffer.Record
	fields []reading.Aggregate
	merged bool
}

// takes reports whether r follows the bucket without a hole and within the same period.
func (b *bucket) takes(r buffer.Record, period time.Duration) bool {
	return r.Seq == max(b.record.Seq, b.record.SeqTo)+1 && r.Up >= b.record.Up && r.Up/period == b.record.Up/period
}

func (b *bucket) merge(r buffer.Record, fields []reading.Aggregate) {
	b.merged = true
	b.record.SeqTo, b.record.UpTo = max(r.Seq, r.SeqTo), max(r.Up, r.UpTo)
next:
	for _, f := range fields {
		for i := range b.fields {
			if b.fields[i].Last.Field == f.Last.Field {
				b.fields[i].Merge(f)
				continue next
			}
		}
		b.fields = append(b.fields, f)
	}
}

func (b *bucket) finish() buffer.Record {
	if b.merged {
		b.record.Body = reading.AppendBucket(nil, b.fields)
	}
	return b.record
}

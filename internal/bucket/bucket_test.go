package bucket_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/bucket"
	"github.com/fieldgate/fieldgate/internal/reading"
)

func record(stream string, seq uint64, up time.Duration, temperature float64) buffer.Record {
	return buffer.Record{Kind: buffer.Readings, Run: "3f9c61a2b07d", Stream: stream, Seq: seq, Up: up,
		Body: reading.Append(nil, []drivers.Value{drivers.Float("temperature", temperature)})}
}

// show lists records as stream, numbers, seconds and mean/min/max.
func show(t *testing.T, records []buffer.Record) string {
	t.Helper()
	var b strings.Builder
	for _, r := range records {
		fmt.Fprintf(&b, "%s %d", r.Stream, r.Seq)
		if r.SeqTo > 0 {
			fmt.Fprintf(&b, "-%d %v-%v", r.SeqTo, r.Up, r.UpTo)
		} else {
			fmt.Fprintf(&b, " %v", r.Up)
		}
		fields, err := new(reading.Decoder).DecodeBucket(nil, r.Body)
		if err != nil {
			b.WriteString(" malformed")
		}
		for _, f := range fields {
			fmt.Fprintf(&b, " n%d %g/%g/%g", f.N, f.Mean, f.Min, f.Max)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestRecords(t *testing.T) {
	s := time.Second
	malformed := buffer.Record{Stream: "a", Seq: 2, Up: 20 * s, Body: []byte{9}}
	for _, tt := range []struct {
		name  string
		level int
		in    []buffer.Record
		want  string
	}{
		{"nothing", 1, nil, ""},
		{"one sensor, two minutes", 1, []buffer.Record{record("a", 7, 10*s, 1), record("a", 8, 30*s, 3), record("a", 9, 59*s, 8), record("a", 10, 60*s, 5), record("a", 11, 70*s, 7)},
			"a 7-9 10s-59s n3 4/1/8\na 10-11 1m0s-1m10s n2 6/5/7\n"},
		{"two sensors between each other", 1, []buffer.Record{record("a", 1, 1*s, 1), record("b", 1, 2*s, 10), record("a", 2, 3*s, 2), record("b", 2, 4*s, 20)},
			"a 1-2 1s-3s n2 1.5/1/2\nb 1-2 2s-4s n2 15/10/20\n"},
		{"a hole in the numbers", 1, []buffer.Record{record("a", 1, 1*s, 1), record("a", 2, 2*s, 1), record("a", 4, 4*s, 1)},
			"a 1-2 1s-2s n2 1/1/1\na 4 4s n1 1/1/1\n"},
		{"alone in its period", 1, []buffer.Record{record("a", 1, 1*s, 1), record("a", 2, 61*s, 2)}, "a 1 1s n1 1/1/1\na 2 1m1s n1 2/2/2\n"},
		{"ten minutes", 2, []buffer.Record{record("a", 1, 1*s, 1), record("a", 2, 61*s, 3), record("a", 3, 599*s, 2), record("a", 4, 600*s, 9)},
			"a 1-3 1s-9m59s n3 2/1/3\na 4 10m0s n1 9/9/9\n"},
		{"malformed", 1, []buffer.Record{record("a", 1, 1*s, 1), malformed, record("a", 3, 3*s, 3)},
			"a 1 1s n1 1/1/1\na 2 20s malformed\na 3 3s n1 3/3/3\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := slices.Clone(tt.in)
			if got := show(t, bucket.Thin(tt.level, in)); got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
			if show(t, in) != show(t, tt.in) {
				t.Error("the input was changed")
			}
		})
	}
}

// Thinning in steps, or what is thinned already, gives what thinning at once gives.
func TestRecordsInSteps(t *testing.T) {
	var in []buffer.Record
	for i := range 5000 {
		in = append(in, record("a", uint64(i+1), time.Duration(i)*time.Second, float64(i%64)))
	}
	whole := bucket.Thin(3, in)
	var steps []buffer.Record
	for part := range slices.Chunk(in, 700) {
		steps = bucket.Thin(1, append(steps, part...))
	}
	steps = bucket.Thin(3, bucket.Thin(2, steps))
	if len(whole) != 2 || len(steps) != 2 {
		t.Fatalf("%d and %d buckets of 5000 seconds, want 2", len(whole), len(steps))
	}
	for i := range whole {
		a, b := whole[i], steps[i]
		fa, _ := new(reading.Decoder).DecodeBucket(nil, a.Body)
		fb, _ := new(reading.Decoder).DecodeBucket(nil, b.Body)
		if a.Seq != b.Seq || a.SeqTo != b.SeqTo || a.UpTo != b.UpTo || fa[0].N != fb[0].N || fa[0].Min != fb[0].Min || fa[0].Max != fb[0].Max ||
			fa[0].Mean-fb[0].Mean > 1e-9 || fb[0].Mean-fa[0].Mean > 1e-9 {
			t.Errorf("bucket %d: at once %+v, in steps %+v", i, fa, fb)
		}
	}
}

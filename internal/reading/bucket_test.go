package reading_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/reading"
)

var fields = []reading.Aggregate{
	{Last: drivers.Value{Field: "temperature"}, N: 60, Mean: 21.5, Min: 20, Max: 23},
	{Last: drivers.Bool("open", true)}, {Last: drivers.String("text", "grün")}, {Last: drivers.Bad("humidity", "crc")},
}

func TestDecodeBucketReturnsWhatAppendBucketTook(t *testing.T) {
	body := reading.AppendBucket(nil, fields)
	got, err := new(reading.Decoder).DecodeBucket(nil, body)
	if err != nil || !slices.Equal(got, fields) {
		t.Errorf("want %#v, got %#v, %v", fields, got, err)
	}
	for n := range len(body) {
		if got, err := new(reading.Decoder).DecodeBucket(nil, body[:n]); !errors.Is(err, reading.ErrMalformed) {
			t.Errorf("cut after %d of %d bytes: want ErrMalformed, got %#v, %v", n, len(body), got, err)
		}
	}
	if _, err := new(reading.Decoder).Decode(nil, body); !errors.Is(err, reading.ErrMalformed) {
		t.Errorf("a bucket taken for a reading: %v", err)
	}
}

func TestMerge(t *testing.T) {
	f := func(v float64) drivers.Value { return drivers.Float("x", v) }
	for _, tt := range []struct {
		name   string
		values []drivers.Value
		want   reading.Aggregate
	}{
		{"floats", []drivers.Value{f(1), f(2), f(6)}, reading.Aggregate{N: 3, Mean: 3, Min: 1, Max: 6}},
		{"the same number", []drivers.Value{f(0.1), f(0.1), f(0.1)}, reading.Aggregate{N: 3, Mean: 0.1, Min: 0.1, Max: 0.1}},
		{"ints", []drivers.Value{drivers.Int("x", -4), drivers.Int("x", 2)}, reading.Aggregate{N: 2, Mean: -1, Min: -4, Max: 2}},
		{"bad ones count not", []drivers.Value{drivers.Bad("x", "crc"), f(4), drivers.Bad("x", "crc"), f(2)}, reading.Aggregate{N: 2, Mean: 3, Min: 2, Max: 4}},
		{"beyond the range of their difference", []drivers.Value{f(-math.MaxFloat64), f(math.MaxFloat64)},
			reading.Aggregate{N: 2, Mean: 0, Min: -math.MaxFloat64, Max: math.MaxFloat64}},
		{"last truth", []drivers.Value{drivers.Bool("x", true), drivers.Bool("x", false)}, reading.Aggregate{Last: drivers.Bool("x", false)}},
		{"last text", []drivers.Value{drivers.String("x", "a"), drivers.Bad("x", "crc"), drivers.String("x", "b")}, reading.Aggregate{Last: drivers.String("x", "b")}},
		{"always bad", []drivers.Value{drivers.Bad("x", "crc"), drivers.Bad("x", "range")}, reading.Aggregate{Last: drivers.Bad("x", "range")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got reading.Aggregate
			var d reading.Decoder
			for i, v := range tt.values {
				one, err := d.DecodeBucket(nil, reading.Append(nil, []drivers.Value{v}))
				if err != nil || len(one) != 1 {
					t.Fatal(one, err)
				}
				if i == 0 {
					got = one[0]
				} else {
					got.Merge(one[0])
				}
			}
			if got.N > 0 {
				got.Last = drivers.Value{}
			}
			if got != tt.want {
				t.Errorf("want %+v, got %+v", tt.want, got)
			}
		})
	}
}

func FuzzDecodeBucket(f *testing.F) {
	f.Add(reading.AppendBucket(nil, fields))
	f.Add(reading.Append(nil, values))
	f.Fuzz(func(t *testing.T, body []byte) {
		var d reading.Decoder
		got, err := d.DecodeBucket(nil, body)
		if err != nil {
			return
		}
		again, err := d.DecodeBucket(nil, reading.AppendBucket(nil, got))
		if err != nil || len(again) != len(got) {
			t.Fatalf("%#v became %#v, %v", got, again, err)
		}
		for i := range got {
			if got[i].N > 0 {
				got[i].Last, again[i].Last = drivers.Value{Field: got[i].Last.Field}, drivers.Value{Field: again[i].Last.Field}
			}
			if got[i] != again[i] {
				t.Errorf("%#v became %#v", got[i], again[i])
			}
		}
	})
}

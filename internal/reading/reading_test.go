package reading_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/reading"
)

var values = []drivers.Value{
	drivers.Float("temperature", 21.54), drivers.Float("small", math.SmallestNonzeroFloat64),
	drivers.Int("count", math.MinInt64), drivers.Bool("open", true), drivers.Bool("shut", false),
	drivers.String("text", "grün\n\""), drivers.String("empty", ""), drivers.Bad("humidity", "crc"),
}

func TestDecodeReturnsWhatAppendTook(t *testing.T) {
	got, err := new(reading.Decoder).Decode(nil, reading.Append(nil, values))
	if err != nil || !slices.Equal(got, values) {
		t.Errorf("want %#v, got %#v, %v", values, got, err)
	}
}

// A body cut at any byte is an error or, if only whole fields were cut off, never more than was
// there.
func TestDecodeOfTruncatedBody(t *testing.T) {
	body := reading.Append(nil, values)
	for n := range len(body) {
		if got, err := new(reading.Decoder).Decode(nil, body[:n]); !errors.Is(err, reading.ErrMalformed) {
			t.Errorf("cut after %d of %d bytes: want ErrMalformed, got %#v, %v", n, len(body), got, err)
		}
	}
}

func TestDecodeOfKnownNamesDoesNotAllocate(t *testing.T) {
	body := reading.Append(nil, []drivers.Value{drivers.Float("temperature", 21.5), drivers.Int("count", 3), drivers.Bool("open", true)})
	var d reading.Decoder
	var stack [4]drivers.Value
	if n := testing.AllocsPerRun(100, func() { _, _ = d.Decode(stack[:0], body) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(reading.Append(nil, values))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := new(reading.Decoder).Decode(nil, body)
		if err != nil {
			return
		}
		again, err := new(reading.Decoder).Decode(nil, reading.Append(nil, got))
		if err != nil || !slices.Equal(got, again) {
			t.Errorf("%#v became %#v, %v", got, again, err)
		}
	})
}

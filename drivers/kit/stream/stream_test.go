package stream

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
)

// reader returns a reader of a device that says "0", "1", "2" … every 300 ms and answers "?" with
// "!" after 100 ms.
func reader(t *testing.T) *Reader {
	t.Helper()
	buses := drivertest.OnSerial(drivertest.Device{
		Every: 300 * time.Millisecond, Says: func(n int) string { return string(rune('0' + n%10)) },
		Delay: 100 * time.Millisecond, Answers: func([]byte) string { return "!" },
	})
	p, err := buses.Port(t.Context(), "port", drivers.SerialMode{})
	if err != nil {
		t.Fatal(err)
	}
	return NewReader(p)
}

func TestReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := reader(t)
		var got []byte
		all := func(p []byte) bool { got = append(got, p...); return len(p) > 0 }
		ctx := t.Context()
		if err := r.Next(ctx, all); err != nil || string(got) != "0" {
			t.Errorf("Next: %q, %v", got, err)
		}
		time.Sleep(time.Second) // until 1.3 s: 1, 2 and 3 have come
		begin := time.Now()
		if err := r.Newest(ctx, all); err != nil || string(got) != "0123" || time.Since(begin) > 0 {
			t.Errorf("Newest: %q, %v after %v", got, err, time.Since(begin))
		}
		if err := r.Newest(ctx, all); err != nil || string(got) != "01234" || time.Since(begin) != 200*time.Millisecond {
			t.Errorf("Newest without anything new: %q, %v after %v", got, err, time.Since(begin))
		}
		time.Sleep(time.Second)
		got = nil
		if err := r.Ask(ctx, []byte("?"), time.Second, func(p []byte) bool { got = append(got, p...); return bytes.ContainsRune(p, '!') }); err != nil || string(got) != "!" {
			t.Errorf("Ask: want what had arrived dropped, got %q, %v", got, err)
		}
	})
}

func TestReaderEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := reader(t)
		never := func([]byte) bool { return false }
		begin := time.Now()
		if err := r.Ask(t.Context(), []byte("?"), 250*time.Millisecond, never); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) > 251*time.Millisecond {
			t.Errorf("Ask: want its timeout, got %v after %v", err, time.Since(begin))
		}
		if r.Seen.Count != 1 || string(r.Seen.First()) != "!" {
			t.Errorf("want what came remembered, got %+v", r.Seen)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 120*time.Millisecond)
		defer cancel()
		begin = time.Now()
		if err := r.Ask(ctx, []byte("?"), time.Second, never); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > 121*time.Millisecond {
			t.Errorf("Ask: want the end of the context, got %v after %v", err, time.Since(begin))
		}
		for _, call := range []func(context.Context, take) error{r.Next, r.Newest} {
			if err := call(ctx, never); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("want the context's error, got %v", err)
			}
		}
	})
}

func TestFrames(t *testing.T) {
	valid := func(f []byte) bool { return f[3] == f[2] }
	tests := []struct {
		name    string
		parts   []string
		want    []string
		damaged int
	}{
		{"one", []string{"AB11"}, []string{"AB11"}, 0},
		{"in parts", []string{"A", "B", "1", "1A"}, []string{"", "", "", "AB11"}, 0},
		{"newest", []string{"AB11AB22AB3"}, []string{"AB22"}, 0},
		{"garbage", []string{"xAxAB", "11yy"}, []string{"", "AB11"}, 0},
		{"damaged", []string{"AB12AB33", "AB12"}, []string{"AB33", ""}, 1},
		{"a frame begins in a damaged one", []string{"ABAB44"}, []string{"AB44"}, 0},
		{"header torn", []string{"xxxA", "B55"}, []string{"", "AB55"}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := Frames{Header: []byte("AB"), Size: 4, Valid: valid}
			for i, part := range test.parts {
				if got := string(f.Newest([]byte(part))); got != test.want[i] {
					t.Errorf("after %q: want %q, got %q", part, test.want[i], got)
				}
			}
			if f.Damaged != test.damaged {
				t.Errorf("want %d damaged, got %d", test.damaged, f.Damaged)
			}
		})
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte("AB11xxABAB22A"), uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, chunk uint8) {
		frames := Frames{Header: []byte("AB"), Size: 4, Valid: func(f []byte) bool { return f[3] == f[2] }}
		for len(data) > 0 {
			n := min(len(data), int(chunk)+1)
			if got := frames.Newest(data[:n]); got != nil && (len(got) != 4 || string(got[:2]) != "AB" || got[2] != got[3]) {
				t.Fatalf("%q is no frame", got)
			}
			if data = data[n:]; len(frames.buf) >= 4 {
				t.Fatalf("%q is kept", frames.buf)
			}
		}
	})
}

func TestExplanations(t *testing.T) {
	var seen Evidence
	frames := Frames{}
	for _, test := range []struct {
		change func()
		want   string
	}{
		{func() {}, "x: nothing came: is the device powered"},
		{func() { seen.add([]byte("\x00\xfe\r\n")) }, "x: 2 bytes came but no valid frame; the first are 00 fe: the baud rate is probably not the device's (configured: 9600 8N1)"},
		{func() { frames.Damaged = 2 }, "x: what came begins as frames do, but 2 times the checksum was wrong"},
	} {
		test.change()
		if err := frames.Explain("x", &seen, drivers.SerialMode{}, os.ErrDeadlineExceeded); !strings.HasPrefix(err.Error(), test.want) || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("want %q, got %v", test.want, err)
		}
	}
}

package sim

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
)

func TestDriver(t *testing.T) {
	for _, shape := range Shapes() {
		t.Run(shape, func(t *testing.T) {
			drivertest.Suite{Spec: Spec, Options: func(o any) { o.(*Options).Shape = shape }}.Run(t)
		})
	}
}

// device opens a sensor with the defaults, changed.
func device(t *testing.T, change func(*Options)) *Dev {
	t.Helper()
	o := Spec.Options().(*Options)
	change(o)
	if err := o.Check(); err != nil {
		t.Fatal(err)
	}
	d, err := Open(t.Context(), *o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// values reads n times, rounded to a hundredth.
func values(t *testing.T, d *Dev, n int) string {
	t.Helper()
	var s []string
	for range n {
		v, err := d.Read(t.Context())
		if err != nil {
			s = append(s, "error")
			continue
		}
		s = append(s, fmt.Sprint(math.Round(v[0].Float()*100)/100))
	}
	return strings.Join(s, " ")
}

func TestShapes(t *testing.T) {
	tests := []struct{ shape, want string }{
		{"constant", "10 10 10 10 10"},
		{"counter", "0 1 2 3 4"},
		{"sawtooth", "8 9 10 11 8"},
		{"sine", "10 12 10 8 10"},
		{"square", "12 12 8 8 12"},
		{"triangle", "8 10 12 10 8"},
	}
	for _, test := range tests {
		t.Run(test.shape, func(t *testing.T) {
			d := device(t, func(o *Options) { o.Shape, o.Period, o.Amplitude, o.Offset = test.shape, 4, 2, 10 })
			if got := values(t, d, 5); got != test.want {
				t.Errorf("want %s, got %s", test.want, got)
			}
		})
	}
}

func TestRandomShapesStayInBoundsAndRepeat(t *testing.T) {
	for _, shape := range []string{"walk", "constant"} {
		t.Run(shape, func(t *testing.T) {
			change := func(o *Options) {
				o.Shape, o.Amplitude, o.Offset, o.Seed = shape, 5, 20, 7
				if shape == "constant" {
					o.Noise = 5
				}
			}
			a, b := device(t, change), device(t, change)
			lowest, highest := math.Inf(1), math.Inf(-1)
			for range 10_000 {
				va, _ := a.Read(t.Context())
				vb, _ := b.Read(t.Context())
				if va[0] != vb[0] {
					t.Fatalf("the same seed gives %#v and %#v", va[0], vb[0])
				}
				lowest, highest = min(lowest, va[0].Float()), max(highest, va[0].Float())
			}
			if lowest < 15 || highest > 25 || highest-lowest < 5 {
				t.Errorf("want most of 15 to 25, got %v to %v", lowest, highest)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	d := device(t, func(o *Options) { o.Shape, o.FailEvery = "counter", 3 })
	if got, want := values(t, d, 7), "0 1 error 2 3 error 4"; got != want {
		t.Errorf("fail_every: want %s, got %s", want, got)
	}
	d = device(t, func(o *Options) { o.Shape, o.FreezeAfter = "counter", 3 })
	if got, want := values(t, d, 5), "0 1 2 2 2"; got != want {
		t.Errorf("freeze_after: want %s, got %s", want, got)
	}
	d = device(t, func(o *Options) { o.HangEvery = 2 })
	if _, err := d.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if _, err := d.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("hang_every: want the deadline, got %v", err)
	}
}

func TestCheck(t *testing.T) {
	o := &Options{Field: "Flow", Shape: "cosine", Period: 1, Noise: -1, Amplitude: math.NaN(), Offset: math.Inf(1), FailEvery: -1, HangEvery: -1, FreezeAfter: -1}
	err := o.Check()
	for _, key := range []string{"field", "shape", "period", "noise", "amplitude", "offset", "fail_every", "hang_every", "freeze_after"} {
		if !strings.Contains(err.Error(), "option "+key+": ") {
			t.Errorf("want %s reported, got %v", key, err)
		}
	}
	if e := (*drivers.OptionError)(nil); !errors.As(err, &e) {
		t.Errorf("want OptionErrors, got %T", err)
	}
}

func TestReadDoesNotAllocate(t *testing.T) {
	d := device(t, func(o *Options) { o.Shape, o.Noise = "walk", 1 })
	if n := testing.AllocsPerRun(1000, func() { _, _ = d.Read(t.Context()) }); n != 0 {
		t.Errorf("want no allocation, got %v", n)
	}
}

func BenchmarkRead(b *testing.B) {
	d, err := Open(b.Context(), *Spec.Options().(*Options))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Read(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

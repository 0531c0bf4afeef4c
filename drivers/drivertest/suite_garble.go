package drivertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
)

// bound is how long an Open or a Read may take whatever the device says. On a line it is the end of
// the context, until which a device that speaks by itself is waited for; a driver of a chip has to
// give up by itself before that.
const bound = 30 * time.Second

// garbledOpening garbles, one by one, all that the device says while it is opened. Whatever the
// driver made of it, it measures well afterwards: it is not open, or it has taken in nothing wrong
// for good.
func (s Suite) garbledOpening(t *testing.T) {
	if s.Spec.Bus == drivers.NoBus {
		return
	}
	buses := s.New()
	d := s.mustOpen(t, buses)
	want := s.mustMeasure(t, d)
	s.mustClose(t, d)
	heard := listen(buses, func() { d = s.mustOpen(t, buses) })
	s.mustClose(t, d)
	s.oneByOne(buses, heard, func(g *garbled) {
		d := s.openGarbled(t, g, buses)
		buses.Garble(nil)
		if d == nil {
			d = s.mustOpen(t, buses)
		}
		s.recovers(t, g, d, want)
		s.mustClose(t, d)
	})
}

// openGarbled opens the driver while something is garbled; nil is that it could not.
func (s Suite) openGarbled(t *testing.T, what any, buses *Buses) drivers.Driver {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	begin := time.Now()
	d, err := s.Spec.Open(ctx, buses, "bus", s.prepared())
	s.inTime(t, what, begin, err)
	if err != nil && d != nil {
		t.Errorf("Open, %v: a driver and an error: %v", what, err)
	}
	return d
}

// garbledReading garbles, one by one and all together, what the device says while it is read. The
// reading after that is as good as before.
func (s Suite) garbledReading(t *testing.T) {
	if s.Spec.Bus == drivers.NoBus {
		return
	}
	buses := s.New()
	d := s.mustOpen(t, buses)
	want := s.mustMeasure(t, d)
	heard := listen(buses, func() { s.mustRead(t, d) })
	read := func(g *garbled) {
		s.readGarbled(t, g, d, want, s.Checked)
		buses.Garble(nil)
		s.recovers(t, g, d, want)
	}
	s.oneByOne(buses, heard, read)
	s.alike(buses, heard, read)
	s.mustClose(t, d)
}

// garbledWriting garbles, one by one, all that the device says while a field is written. It ends in
// time, and does not harm what comes after.
func (s Suite) garbledWriting(t *testing.T) {
	if s.Spec.Bus == drivers.NoBus {
		return
	}
	buses := s.New()
	d := s.mustOpen(t, buses)
	defer s.mustClose(t, d)
	w, ok := d.(drivers.Writer)
	if !ok {
		return
	}
	want := s.mustMeasure(t, d)
	for i, f := range s.Spec.Fields(s.prepared()) {
		if !f.Writable {
			continue
		}
		write := func(what any) error {
			ctx, cancel := context.WithTimeout(t.Context(), bound)
			defer cancel()
			begin := time.Now()
			err := w.Write(ctx, want[i])
			s.inTime(t, what, begin, err)
			return err
		}
		heard := listen(buses, func() { _ = write("undisturbed") })
		s.oneByOne(buses, heard, func(g *garbled) {
			_ = write(g) // it may have been understood
			buses.Garble(nil)
			if err := write(g); err != nil {
				t.Errorf("Write to %s after %v: %v", f.Name, g, err)
			}
			s.recovers(t, g, d, want)
		})
	}
}

// noise lets a line carry nothing but noise during a reading.
func (s Suite) noise(t *testing.T) {
	if !s.onLine() {
		return
	}
	buses := s.New()
	d := s.mustOpen(t, buses)
	want := s.mustMeasure(t, d)
	for seed := range uint64(seeds) {
		what := fmt.Sprintf("nothing but noise, seed %d", seed)
		buses.Garble(func(n int, _ []byte) []byte { return noise(seed, 64+n) })
		s.readGarbled(t, what, d, want, s.Checked)
		buses.Garble(nil)
		s.recovers(t, what, d, want)
	}
	s.mustClose(t, d)
}

// byteByByte lets what is said on a line arrive in the smallest pieces, which is not a fault.
func (s Suite) byteByByte(t *testing.T) {
	if !s.onLine() {
		return
	}
	buses := s.New()
	buses.PerByte(time.Millisecond)
	d := s.mustOpen(t, buses)
	want := s.mustMeasure(t, d)
	for range 3 {
		s.recovers(t, "byte by byte", d, want)
	}
	s.mustClose(t, d)
}

// garbledFiles garbles, one by one, the files that the driver reads.
func (s Suite) garbledFiles(t *testing.T) {
	if len(s.Files) == 0 {
		return
	}
	d := s.mustOpen(t, None())
	want := s.mustMeasure(t, d)
	for _, file := range s.Files {
		good, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		write := func(text []byte) {
			if err := os.WriteFile(file, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		for _, g := range append(ofText(len(good)), ofNumber()...) {
			text := g.change(bytes.Clone(good))
			what := fmt.Sprintf("%s, %s: %q", file, g.name, text)
			write(text)
			if other, err := s.Spec.Open(t.Context(), None(), "", s.prepared()); err == nil {
				s.readGarbled(t, what, other, want, s.Checked || g.empty)
				s.mustClose(t, other)
			}
			s.readGarbled(t, what, d, want, s.Checked || g.empty)
			write(good)
			s.recovers(t, what, d, want)
		}
	}
	s.mustClose(t, d)
}

func (s Suite) onLine() bool {
	return s.Spec.Bus == drivers.SerialBus || s.Spec.Bus == drivers.NetworkBus
}

// oneByOne calls f with each thing garbled that was heard, in each way.
func (s Suite) oneByOne(buses *Buses, heard [][]byte, f func(*garbled)) {
	for n, said := range heard {
		for _, g := range s.garblings(len(said)) {
			f(garble(buses, n, g))
		}
	}
}

// alike calls f with all that was heard garbled, in each way.
func (s Suite) alike(buses *Buses, heard [][]byte, f func(*garbled)) {
	longest := 0
	for _, said := range heard {
		longest = max(longest, len(said))
	}
	for _, g := range s.garblings(longest) {
		f(garble(buses, each, g))
	}
}

func (s Suite) garblings(n int) []garbling {
	if s.onLine() {
		return ofText(n)
	}
	return ofTransfer(n)
}

// readGarbled reads while something is garbled. It must end in time, with an error or with values
// that can be: those that are wanted and no others, if what is garbled is to be noticed.
func (s Suite) readGarbled(t *testing.T, what any, d drivers.Driver, want []drivers.Value, noticed bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	begin := time.Now()
	values, err := d.Read(ctx)
	s.inTime(t, what, begin, err)
	if err != nil {
		if values != nil {
			t.Errorf("Read, %v: values %#v and an error: %v", what, values, err)
		}
		return
	}
	if !s.plausible(t, what, values) || !noticed {
		return
	}
	for i, v := range values {
		if v != want[i] && v.Kind() != drivers.KindBad {
			t.Errorf("Read, %v: want an error, a bad field or %#v, got %#v", what, want[i], v)
		}
	}
}

// inTime checks how long a call took.
func (s Suite) inTime(t *testing.T, what any, begin time.Time, err error) {
	t.Helper()
	if took := time.Since(begin); took > bound+s.prompt() {
		t.Errorf("%v: it took %v", what, took)
	}
	if !s.onLine() && errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v: want an error before the end of the context, got %v", what, err)
	}
}

// mustMeasure returns the second reading, for which the device has said all that it has to say, and
// which is not all bad.
func (s Suite) mustMeasure(t *testing.T, d drivers.Driver) []drivers.Value {
	t.Helper()
	s.mustRead(t, d)
	values := append([]drivers.Value(nil), s.mustRead(t, d)...)
	for _, v := range values {
		if v.Kind() != drivers.KindBad {
			return values
		}
	}
	t.Fatalf("Read: want a device of which something can be measured, got %#v", values)
	return nil
}

// recovers checks that the next reading is that of the undisturbed device. On a line it may be the
// one after that: a garbled end of a line or frame spoils what follows it. Another range or
// resolution of the chip may have remained.
func (s Suite) recovers(t *testing.T, what any, d drivers.Driver, want []drivers.Value) {
	t.Helper()
	readings := 1
	if s.onLine() {
		readings = 2
	}
	var wrong string
	for range readings {
		if wrong = s.differs(t, what, d, want); wrong == "" {
			return
		}
	}
	t.Errorf("Read after %v: %s", what, wrong)
}

// differs reads, and says what differs from the reading that is wanted; "" is nothing.
func (s Suite) differs(t *testing.T, what any, d drivers.Driver, want []drivers.Value) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	values, err := d.Read(ctx)
	if err != nil {
		return err.Error()
	}
	if !s.plausible(t, what, values) {
		return "not plausible"
	}
	for i, v := range values {
		near := v.Kind() == drivers.KindFloat && math.Abs(v.Float()-want[i].Float()) <= 0.01*math.Abs(want[i].Float())
		if v != want[i] && !(near && v.Kind() == want[i].Kind()) {
			return fmt.Sprintf("want %#v as before, got %#v", want[i], v)
		}
	}
	return ""
}

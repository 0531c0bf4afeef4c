package drivertest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/fieldgate/fieldgate/drivers"
)

// A driver with writable fields is a Writer, and one without is not. What was read can be written.
func (s Suite) write(t *testing.T) {
	buses := s.New()
	d := s.mustOpen(t, buses)
	defer s.mustClose(t, d)
	fields := s.Spec.Fields(s.prepared())
	w, ok := d.(drivers.Writer)
	if writable := slices.ContainsFunc(fields, func(f drivers.Field) bool { return f.Writable }); ok != writable {
		t.Fatalf("it has writable fields: %v, and it is a Writer: %v", writable, ok)
	}
	if !ok {
		return
	}
	if err := w.Write(t.Context(), drivers.Int("no_such_field", 1)); err == nil {
		t.Error("Write to an unknown field: want an error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for i, v := range slices.Clone(s.mustRead(t, d)) {
		if !fields[i].Writable {
			if err := w.Write(t.Context(), v); err == nil {
				t.Errorf("Write to %s, which is not writable: want an error", v.Field)
			}
			continue
		}
		before := buses.Count()
		if err := w.Write(t.Context(), drivers.Bad(v.Field, "test")); err == nil || buses.Count() != before {
			t.Errorf("Write of a bad value to %s: want an error before anything is sent, got %v", v.Field, err)
		}
		if err := w.Write(ctx, v); !errors.Is(err, context.Canceled) || buses.Count() != before {
			t.Errorf("Write to %s after the end of the context: want context.Canceled before anything is sent, got %v", v.Field, err)
		}
		if err := w.Write(t.Context(), v); err != nil {
			t.Errorf("Write of %#v, which was read before: %v", v, err)
		}
		if got := s.mustRead(t, d)[i]; got != v {
			t.Errorf("Read after Write: want %#v, got %#v", v, got)
		}
		if s.Spec.Bus == drivers.NoBus {
			continue
		}
		buses.FailAt(0, errFault)
		if err := w.Write(t.Context(), v); !errors.Is(err, errFault) {
			t.Errorf("Write to %s while the bus fails: want the error wrapped, got %v", v.Field, err)
		}
	}
}

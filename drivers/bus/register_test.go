package bus

import (
	"log/slog"
	"slices"
	"strings"
	"testing"

	"periph.io/x/conn/v3/i2c/i2creg"
)

// Code that knows periph's registry only gets the shared bus, and closing it closes it for nobody
// else.
func TestRegisterI2C(t *testing.T) {
	f, b := newFake(t)
	h := New(slog.New(slog.DiscardHandler))
	name := "/dev/i2c-4242"
	h.i2c[name] = b
	if err := h.register([]string{name}); err != nil {
		t.Fatal(err)
	}
	for _, as := range []string{name, "I2C4242", "4242"} {
		got, err := i2creg.Open(as)
		if err != nil {
			t.Fatalf("%s: %v", as, err)
		}
		if err := got.Tx(0x76, []byte{1}, nil); err != nil {
			t.Errorf("%s: %v", as, err)
		}
		if err := got.Close(); err != nil {
			t.Errorf("%s: %v", as, err)
		}
	}
	if len(f.messages) != 3 || len(f.closed) != 0 {
		t.Errorf("%d transfers, closed %v", len(f.messages), f.closed)
	}
	// What somebody else has entered stays theirs, and keeps no other bus out.
	other, another := New(slog.New(slog.DiscardHandler)), "/dev/i2c-4243"
	if err := other.register([]string{name, another}); err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), another) {
		t.Errorf("registered twice: %v", err)
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	if got := registered(); !slices.Contains(got, name) || slices.Contains(got, another) {
		t.Errorf("in the registry are %v", got)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if got := registered(); slices.Contains(got, name) {
		t.Errorf("in the registry are %v", got)
	}
	if err := h.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}

func registered() (names []string) {
	for _, r := range i2creg.All() {
		names = append(names, r.Name)
	}
	return names
}

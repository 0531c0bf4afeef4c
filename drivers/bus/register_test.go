package bus

import (
	"log/slog"
	"strings"
	"testing"

	"periph.io/x/conn/v3/i2c/i2creg"
)

// Code that knows periph's registry only gets the shared bus, and closing it closes it for nobody else.
func TestRegisterI2C(t *testing.T) {
	f, b := newFake(t)
	h := New(slog.New(slog.DiscardHandler))
	name := "/dev/i2c-4242"
	h.i2c[name] = b
	if err := h.register([]string{name}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := i2creg.Unregister(name); err != nil {
			t.Error(err)
		}
	}()
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
	if err := h.register([]string{name}); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("registered twice: %v", err)
	}
}

package sysfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"
)

func TestReasons(t *testing.T) {
	tests := []struct {
		err  error
		want string
	}{
		{Fault("fault"), "fault"},
		{&os.PathError{Op: "read", Err: syscall.EAGAIN}, "not measured"},
		{syscall.ENODATA, "not measured"},
		{syscall.ENXIO, "no answer"},
		{syscall.ETIMEDOUT, "no answer"},
		{fmt.Errorf("x: %w", strconv.ErrSyntax), "format"},
	}
	for _, test := range tests {
		m := NewMeter("hwmon: x", []Channel{
			{"bad", func() (float64, error) { return 0, test.err }},
			{"good", func() (float64, error) { return 1, nil }},
		})
		values, err := m.Read(t.Context())
		if err != nil || values[0].Reason() != test.want || values[1].Float() != 1 {
			t.Errorf("%v: want %q, got %#v, %v", test.err, test.want, values, err)
		}
	}
}

func TestAllFail(t *testing.T) {
	m := NewMeter("hwmon: x", []Channel{{"a", func() (float64, error) { return 0, syscall.EIO }}})
	if values, err := m.Read(t.Context()); !errors.Is(err, syscall.EIO) || values != nil {
		t.Errorf("want the error, got %#v, %v", values, err)
	}
	gone := NewMeter("hwmon: x", []Channel{{"a", func() (float64, error) { return 0, syscall.ENODEV }}})
	if _, err := gone.Read(t.Context()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("want os.ErrClosed, got %v", err)
	}
}

// A channel that takes long is the last when the context ends in it.
func TestContextEndsBetweenChannels(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	m := NewMeter("hwmon: x", []Channel{
		{"a", func() (float64, error) { cancel(); return 1, nil }},
		{"b", func() (float64, error) { t.Error("read after the end of the context"); return 1, nil }},
	})
	if values, err := m.Read(ctx); !errors.Is(err, context.Canceled) || values != nil {
		t.Errorf("want context.Canceled, got %#v, %v", values, err)
	}
}

func TestDoc(t *testing.T) {
	for _, tt := range []struct{ device, channel, label, want string }{
		{"", "temp1", "", "temp1"}, // of no device: in the drivers' page
		{"emc1413", "temp1", "", "temp1 of emc1413"},
		{"coretemp", "temp", "Core 0", "temp Core 0 of coretemp"},
	} {
		if got := Doc(tt.device, tt.channel, tt.label); got != tt.want {
			t.Errorf("want %q, got %q", tt.want, got)
		}
	}
}

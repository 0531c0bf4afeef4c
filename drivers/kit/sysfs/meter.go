package sysfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/fieldgate/fieldgate/drivers"
)

// A Channel is one thing that a device measures.
type Channel struct {
	Field string
	// Read returns the number in the field's unit. An error of the type Fault is the reason why
	// there is none; others are the kernel's.
	Read func() (float64, error)
}

// A Fault is a reason why a channel has no value although the device answers: what Bad takes.
type Fault string

func (f Fault) Error() string { return string(f) }

// A Meter is the drivers.Driver of a device's channels.
type Meter struct {
	title    string
	channels []Channel
	values   []drivers.Value
}

// NewMeter returns the Meter of a device; title names it in errors.
func NewMeter(title string, channels []Channel) *Meter {
	return &Meter{title: title, channels: channels, values: make([]drivers.Value, len(channels))}
}

// Read reads all channels. One that fails is Bad; if all do, or if the device has gone, that is an
// error.
func (m *Meter) Read(ctx context.Context) ([]drivers.Value, error) {
	var failed error
	failures := 0
	for i, c := range m.channels {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		v, err := c.Read()
		if Gone(err) {
			return nil, fmt.Errorf("%s has gone: its kernel driver was unloaded, or it was unplugged: %w: %w", m.title, os.ErrClosed, err)
		}
		if err == nil {
			m.values[i] = drivers.Float(c.Field, v)
			continue
		}
		m.values[i] = drivers.Bad(c.Field, reason(err))
		failed, failures = fmt.Errorf("%s: %s: %w", m.title, c.Field, err), failures+1
	}
	if failures == len(m.channels) {
		return nil, failed
	}
	return m.values, nil
}

// Close does nothing: the device is the kernel's.
func (m *Meter) Close() error { return nil }

// Gone reports whether an error of reading a file means that its device is not there any more.
func Gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV)
}

// reason puts an error into the words of Bad.
func reason(err error) string {
	var fault Fault
	switch {
	case errors.As(err, &fault):
		return string(fault)
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENODATA), errors.Is(err, syscall.EBUSY):
		return "not measured"
	case errors.Is(err, strconv.ErrSyntax), errors.Is(err, strconv.ErrRange):
		return "format"
	}
	return "no answer"
}

// Number returns the number that a file says.
func Number(file string) (float64, error) {
	text, err := Text(file)
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	return v, nil
}

// Measured is Number for a measurement: a number of those in invalid means that there is none.
func Measured(file string, invalid []float64) (float64, error) {
	v, err := Number(file)
	if err == nil && slices.Contains(invalid, v) {
		return 0, Fault("not measured")
	}
	return v, err
}

// Kind returns the letters that a channel's name begins with: "temp" of "temp1", "voltage" of
// "voltage0-voltage1".
func Kind(channel string) string {
	if i := strings.IndexFunc(channel, func(r rune) bool { return r < 'a' || r > 'z' }); i >= 0 {
		return channel[:i]
	}
	return channel
}

// Open finds the device of a driver as Find does, and what reads each of its channels, by the names
// of their fields.
func Open[C any](ctx context.Context, driver, pattern, name, device string, channels map[string]C, find func(folder string, c C) (func() (float64, error), error)) (*Meter, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	found, err := Find(pattern, name, device)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", driver, err)
	}
	var list []Channel
	for _, field := range slices.Sorted(maps.Keys(channels)) {
		read, err := find(found.Folder, channels[field])
		if err != nil {
			return nil, fmt.Errorf("%s: %v: %s: %w", driver, found, field, err)
		}
		list = append(list, Channel{Field: field, Read: read})
	}
	return NewMeter(fmt.Sprintf("%s: %v", driver, found), list), nil
}

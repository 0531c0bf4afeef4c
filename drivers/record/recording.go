package record

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fieldgate/fieldgate/drivers"
)

// Version is that of the form of a Recording.
const Version = 1

// A Recording is one session with a device.
type Recording struct {
	V          int             `json:"v"`
	Driver     string          `json:"driver"`
	Options    json.RawMessage `json:"options"` // the driver's options, as in the configuration
	Program    string          `json:"program,omitempty"`
	Operations []Operation     `json:"operations"`
	Readings   []Reading       `json:"readings"`
	Cut        bool            `json:"cut,omitempty"` // the session had more than MaxOperations
}

// MaxOperations is the most that a Recording has.
const MaxOperations = 50_000

// An Operation is one transfer on I2C, or one Read or Write of a port.
type Operation struct {
	At      float64 `json:"at"` // when it had ended, in seconds since the begin
	Address uint16  `json:"address,omitempty"`
	Write   Bytes   `json:"w,omitempty"`
	Read    Bytes   `json:"r,omitempty"`
	// how many bytes were asked for, if that is not how many were read
	Size  int    `json:"size,omitempty"`
	Fault *Fault `json:"error,omitempty"`
}

// A Reading is what the driver made of it.
type Reading struct {
	At     float64 `json:"at"`
	Values []Value `json:"values,omitempty"`
	Error  string  `json:"error,omitempty"`
}

// A Value is one field of a Reading.
type Value struct {
	Field string `json:"field"`
	Kind  string `json:"kind"`
	Value any    `json:"value,omitempty"`
	Bad   string `json:"bad,omitempty"`
}

// Values returns values in the form of a Recording.
func Values(values []drivers.Value) []Value {
	out := make([]Value, len(values))
	for i, v := range values {
		out[i] = Value{Field: v.Field, Kind: v.Kind().String(), Value: v.Any(), Bad: v.Reason()}
	}
	return out
}

// Bytes are written in hexadecimal.
type Bytes []byte

// MarshalText implements encoding.TextMarshaler.
func (b Bytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, b), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *Bytes) UnmarshalText(text []byte) error {
	decoded, err := hex.AppendDecode(nil, text)
	*b = decoded
	return err
}

// A Fault is the error of an Operation: what it said, and what drivers look at in errors.
type Fault struct {
	Text    string `json:"text"`
	Errno   string `json:"errno,omitempty"` // "ENXIO"
	Closed  bool   `json:"closed,omitempty"`
	Timeout bool   `json:"timeout,omitempty"`
}

func faultOf(err error) *Fault {
	if err == nil {
		return nil
	}
	f := &Fault{Text: err.Error(), Closed: errors.Is(err, os.ErrClosed), Timeout: errors.Is(err, os.ErrDeadlineExceeded)}
	var errno unix.Errno
	if errors.As(err, &errno) {
		f.Errno = unix.ErrnoName(errno)
	}
	return f
}

// Err returns the error as a driver is to see it again; nil for nil.
func (f *Fault) Err() error {
	if f == nil {
		return nil
	}
	var causes []error
	if f.Closed {
		causes = append(causes, os.ErrClosed)
	}
	if f.Timeout {
		causes = append(causes, os.ErrDeadlineExceeded)
	}
	for errno := unix.Errno(1); f.Errno != "" && errno < 200; errno++ {
		if unix.ErrnoName(errno) == f.Errno {
			causes = append(causes, errno)
			break
		}
	}
	return &fault{f.Text, causes}
}

// fault is an error that says what the recorded one said and is what that was.
type fault struct {
	text   string
	causes []error
}

func (f *fault) Error() string   { return f.text }
func (f *fault) Unwrap() []error { return f.causes }

// Session opens a driver on recorded buses, measures every interval until ctx ends, closes the
// driver, and returns what went over the bus. A driver that cannot be opened, and readings that
// fail, are part of the Recording.
func Session(ctx context.Context, spec drivers.Spec, buses drivers.Buses, bus string, options any, every, timeout time.Duration) (*Recording, error) {
	text, err := json.Marshal(encode(reflect.ValueOf(options)))
	if err != nil {
		return nil, fmt.Errorf("the options of %s: %w", spec.Name, err)
	}
	r := newRecorder(buses)
	r.recording.Driver, r.recording.Options = spec.Name, text
	bounded := func(f func(ctx context.Context) error) error {
		limited, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		return f(limited)
	}
	var driver drivers.Driver
	err = bounded(func(ctx context.Context) (err error) {
		driver, err = spec.Open(ctx, r, bus, options)
		return err
	})
	if err != nil {
		r.note(nil, err)
		return r.finish(), nil
	}
	for ctx.Err() == nil && !r.full() {
		begin, mark := time.Now(), r.mark()
		var values []drivers.Value
		err := bounded(func(ctx context.Context) (err error) {
			values, err = driver.Read(ctx)
			return err
		})
		if ctx.Err() != nil && err != nil { // the end of the session, not of the device
			r.rewind(mark)
			break
		}
		r.note(values, err)
		if errors.Is(err, os.ErrClosed) {
			break
		}
		if drivers.Wait(ctx, max(every-time.Since(begin), time.Millisecond)) != nil {
			break
		}
	}
	if err := driver.Close(); err != nil {
		r.note(nil, err)
	}
	return r.finish(), nil
}

package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/contract"
)

// A Spec describes a command: one thing that the cloud can ask of the gateway.
type Spec struct {
	Name    string
	Doc     string // what it does, in a sentence without a full stop
	Default bool   // it may run unless the configuration says otherwise
	Timeout time.Duration
	// Harmless commands only look: they may come without an id.
	Harmless bool
	// Run does it. The result becomes JSON. An error that is an *Error brings its own code.
	Run func(ctx context.Context, h Host, args json.RawMessage) (result any, err error)
	// After, if it is not nil, is called when the reply of a success is durable: for what ends the
	// program.
	After func(h Host)
}

// A Host is what commands work on.
type Host interface {
	Status() contract.LocalStatus
	Flush(ctx context.Context) error
	SetLogLevel(level string) error
	Restart()
	// Measure measures once with a sensor, outside of its schedule; false: there is no such sensor.
	Measure(ctx context.Context, sensor string) (contract.Measured, bool, error)
	// Write sets writable fields of a sensor to JSON values, and measures; false: there is no such
	// sensor.
	Write(ctx context.Context, sensor string, values map[string]json.RawMessage) (contract.Measured, bool, error)
}

// Table returns every command. Each is described in a file of its own.
func Table() []Spec {
	return []Spec{ping(), read(), diag(), flush(), logLevel(), write(), restart()}
}

// decodeArgs reads the arguments of a command; unknown members are an error.
func decodeArgs(args json.RawMessage, v any) error {
	d := json.NewDecoder(bytes.NewReader(args))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return &Error{Code: "arguments", Err: fmt.Errorf("args: %w", err)}
	}
	return nil
}

// measured makes a result of what a sensor measured.
func measured(sensor string) func(contract.Measured, bool, error) (any, error) {
	return func(values contract.Measured, known bool, err error) (any, error) {
		switch {
		case !known:
			return nil, &Error{Code: "unknown-sensor", Err: fmt.Errorf("there is no sensor %q", sensor)}
		case err != nil:
			return nil, &Error{Code: "sensor", Err: err}
		}
		return values, nil
	}
}

// Words returns the names of all commands for the configuration.
func Words() config.Words {
	var words config.Words
	for _, s := range Table() {
		words = append(words, config.Word{Name: s.Name, Doc: s.Doc})
	}
	return words
}

// Allowed returns the names of the commands that may run by default.
func Allowed() []string {
	var names []string
	for _, s := range Table() {
		if s.Default {
			names = append(names, s.Name)
		}
	}
	return names
}

// Package operation is the table of what can be asked of the gateway by remote command. How commands are accepted, run
// once and answered is package command's; here is only what each of them does.
package operation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/fieldgate/fieldgate/internal/command"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/control"
)

// Gateway is what the operations need of the gateway.
type Gateway interface {
	Status() control.Status
	Flush(ctx context.Context) error
	SetLogLevel(level string) error
	Restart()
}

// Sensors is what the operations need of the sensors.
type Sensors interface {
	// Measure measures once with a sensor, outside of its schedule; false: there is no such sensor.
	Measure(ctx context.Context, sensor string) (contract.Measured, bool, error)
	// Write sets writable fields of a sensor to JSON values, and measures; false: there is no such sensor.
	Write(ctx context.Context, sensor string, values map[string]json.RawMessage) (contract.Measured, bool, error)
}

// Table returns the operations on a gateway and its sensors.
func Table(g Gateway, s Sensors) []command.Operation {
	o := operations{g, s}
	return []command.Operation{
		{Name: "ping", Timeout: 5 * time.Second, Harmless: true, Run: o.ping},
		{Name: "read", Timeout: 30 * time.Second, Harmless: true, Run: o.read},
		{Name: "diag", Timeout: 5 * time.Second, Harmless: true, Run: o.diag},
		{Name: "flush", Timeout: 30 * time.Second, Run: o.flush},
		{Name: "log-level", Timeout: 5 * time.Second, Run: o.logLevel},
		{Name: "write", Timeout: 30 * time.Second, Run: o.write},
		{Name: "restart", Timeout: 5 * time.Second, Run: nothing, After: g.Restart},
	}
}

type operations struct {
	g Gateway
	s Sensors
}

func nothing(context.Context, json.RawMessage) (any, error) { return nil, nil }

func (o operations) ping(context.Context, json.RawMessage) (any, error) {
	s := o.g.Status()
	return map[string]any{"version": s.Version, "run": s.Health.Run, "up": s.Health.Up}, nil
}

func (o operations) read(ctx context.Context, args json.RawMessage) (any, error) {
	var a struct {
		Sensor string `json:"sensor"`
	}
	if err := arguments(args, &a); err != nil {
		return nil, err
	}
	return measured(a.Sensor)(o.s.Measure(ctx, a.Sensor))
}

// write sets an actuator and tells what it measures then.
func (o operations) write(ctx context.Context, args json.RawMessage) (any, error) {
	var a struct {
		Sensor string                     `json:"sensor"`
		Fields map[string]json.RawMessage `json:"fields"`
	}
	if err := arguments(args, &a); err != nil {
		return nil, err
	}
	if len(a.Fields) == 0 {
		return nil, &command.Error{Code: "arguments", Err: errors.New(`args: fields must name what to set, such as {"on":true}`)}
	}
	return measured(a.Sensor)(o.s.Write(ctx, a.Sensor, a.Fields))
}

// measured makes a result of what a sensor said.
func measured(sensor string) func(contract.Measured, bool, error) (any, error) {
	return func(values contract.Measured, known bool, err error) (any, error) {
		switch {
		case !known:
			return nil, &command.Error{Code: "unknown-sensor", Err: fmt.Errorf("there is no sensor %q", sensor)}
		case err != nil:
			return nil, &command.Error{Code: "sensor", Err: err}
		}
		return values, nil
	}
}

// diag tells everything that is known of the gateway's state.
func (o operations) diag(context.Context, json.RawMessage) (any, error) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return struct {
		control.Status
		Go         string `json:"go"`
		Arch       string `json:"arch"`
		Goroutines int    `json:"goroutines"`
		HeapBytes  uint64 `json:"heap_bytes"`
	}{o.g.Status(), runtime.Version(), runtime.GOARCH, runtime.NumGoroutine(), m.HeapAlloc}, nil
}

func (o operations) flush(ctx context.Context, _ json.RawMessage) (any, error) {
	return nil, o.g.Flush(ctx)
}

// logLevel changes the log level until the next start or shadow.
func (o operations) logLevel(_ context.Context, args json.RawMessage) (any, error) {
	var a struct {
		Level string `json:"level"`
	}
	if err := arguments(args, &a); err != nil {
		return nil, err
	}
	switch a.Level {
	case "debug", "info", "warn", "error":
		return nil, o.g.SetLogLevel(a.Level)
	}
	return nil, &command.Error{Code: "arguments", Err: errors.New("level must be debug, info, warn or error")}
}

func arguments(args json.RawMessage, v any) error {
	d := json.NewDecoder(bytes.NewReader(args))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return &command.Error{Code: "arguments", Err: fmt.Errorf("args: %w", err)}
	}
	return nil
}

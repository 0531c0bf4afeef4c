package sim

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/fieldgate/fieldgate/drivers"
)

// Options are what the configuration may set. Periods, steps and faults count readings.
type Options struct {
	Field     string  `toml:"field" doc:"the field's name"`
	Unit      string  `toml:"unit" doc:"its unit, a SenML symbol such as Cel"`
	Shape     string  `toml:"shape" doc:"constant, counter, sawtooth, sine, square, triangle or walk"`
	Period    int     `toml:"period" doc:"readings per wave, at least 2"`
	Amplitude float64 `toml:"amplitude" doc:"from the middle to the top of the wave; a walk's greatest distance from the offset"`
	Offset    float64 `toml:"offset" doc:"the middle of the wave"`
	Noise     float64 `toml:"noise" doc:"a random number from -noise to +noise is added"`
	Seed      uint64  `toml:"seed" doc:"of the random numbers"`

	FailEvery   int `toml:"fail_every" doc:"every n-th reading fails; 0 is none"`
	HangEvery   int `toml:"hang_every" doc:"every n-th reading waits for its deadline; 0 is none"`
	FreezeAfter int `toml:"freeze_after" doc:"after n readings the value does not change any more; 0 is never"`
}

// Shapes returns the shapes of a field: "constant", "counter" (an int: 0, 1, 2 …), "sawtooth" (from
// bottom to top and back at once), "sine", "square" (a step down after half the period, and up
// again), "triangle" and "walk" (a random step each time).
func Shapes() []string {
	return []string{"constant", "counter", "sawtooth", "sine", "square", "triangle", "walk"}
}

// Spec is the driver's entry in the table.
var Spec = drivers.Machine("sim", "a simulated sensor: waves, steps, a counter, and faults on request",
	Options{Field: "value", Shape: "sine", Period: 60, Amplitude: 1, Seed: 1}, fields, Open)

// Check reports every option that has an impossible value.
func (o *Options) Check() error {
	var errs []error
	wrong := func(bad bool, key, format string, args ...any) {
		if bad {
			errs = append(errs, &drivers.OptionError{Key: key, Err: fmt.Errorf(format, args...)})
		}
	}
	wrong(!drivers.IsFieldName(o.Field), "field", "%q is not a lower-case name such as %q", o.Field, "flow_rate")
	wrong(!slices.Contains(Shapes(), o.Shape), "shape", "%q is none of %s", o.Shape, strings.Join(Shapes(), ", "))
	wrong(o.Period < 2, "period", "%d readings; want at least 2", o.Period)
	wrong(!finite(o.Amplitude), "amplitude", "%v is not a finite number", o.Amplitude)
	wrong(!finite(o.Offset), "offset", "%v is not a finite number", o.Offset)
	wrong(!finite(o.Noise) || o.Noise < 0, "noise", "%v; want 0 or more", o.Noise)
	wrong(o.FailEvery < 0, "fail_every", "%d is negative", o.FailEvery)
	wrong(o.HangEvery < 0, "hang_every", "%d is negative", o.HangEvery)
	wrong(o.FreezeAfter < 0, "freeze_after", "%d is negative", o.FreezeAfter)
	return errors.Join(errs...)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func fields(o *Options) []drivers.Field {
	f := drivers.Field{Name: o.Field, Unit: o.Unit, Kind: drivers.KindFloat, Range: drivers.AnyNumber(), Doc: "simulated " + o.Shape}
	if o.Shape == "counter" {
		f.Kind = drivers.KindInt
	}
	return []drivers.Field{f}
}

// Dev is a simulated sensor.
type Dev struct {
	o      Options
	random *rand.Rand
	reads  int     // calls of Read, with the failed ones
	n      int     // values made
	walk   float64 // a walk's distance from the offset
	values [1]drivers.Value
}

// Open makes a sensor. The options must pass Check.
func Open(ctx context.Context, o Options) (*Dev, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &Dev{o: o, random: rand.New(rand.NewPCG(o.Seed, 0))}, nil
}

// Read returns the next value, or the fault that is due.
func (d *Dev) Read(ctx context.Context) ([]drivers.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.reads++
	if d.o.HangEvery > 0 && d.reads%d.o.HangEvery == 0 {
		<-ctx.Done()
		return nil, fmt.Errorf("sim: reading %d hangs, as hang_every asks for: %w", d.reads, ctx.Err())
	}
	if d.o.FailEvery > 0 && d.reads%d.o.FailEvery == 0 {
		return nil, fmt.Errorf("sim: reading %d fails, as fail_every asks for", d.reads)
	}
	if d.o.FreezeAfter == 0 || d.n < d.o.FreezeAfter {
		d.values[0] = d.next()
		d.n++
	}
	return d.values[:], nil
}

// Close does nothing.
func (d *Dev) Close() error { return nil }

// next makes the value number n.
func (d *Dev) next() drivers.Value {
	if d.o.Shape == "counter" {
		return drivers.Int(d.o.Field, int64(d.n))
	}
	v := d.o.Offset + d.o.Amplitude*d.wave()
	if d.o.Noise > 0 {
		v += d.o.Noise * (2*d.random.Float64() - 1)
	}
	return drivers.Float(d.o.Field, v)
}

// wave returns where the shape is, from -1 to 1.
func (d *Dev) wave() float64 {
	phase := float64(d.n%d.o.Period) / float64(d.o.Period)
	switch d.o.Shape {
	case "sine":
		return math.Sin(2 * math.Pi * phase)
	case "square":
		if phase < 0.5 {
			return 1
		}
		return -1
	case "triangle":
		return 1 - 4*math.Abs(phase-0.5)
	case "sawtooth":
		return 2*phase - 1
	case "walk":
		d.walk = max(-1, min(1, d.walk+(2*d.random.Float64()-1)/math.Sqrt(float64(d.o.Period))))
		return d.walk
	}
	return 0
}

package modbusline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/modbus"
)

// A Found is a unit that answers.
type Found struct {
	Unit   int    `json:"unit"`
	Baud   int    `json:"baud,omitempty"`
	Parity string `json:"parity,omitempty"`
	Answer string `json:"answer"`
}

// A Scan is what is asked: in each mode of the line all units, the first ones in all modes before
// the others. Since all devices of a line have one mode, it ends with the mode in which one has
// answered, unless All is set.
type Scan struct {
	Bauds    []int    // of a serial line, the likely ones first
	Parities []string // in each of them
	Units    []int
	Register modbus.Register // what is read
	All      bool
	// Progress is called before each request.
	Progress func(Step)
}

// A Step is where a scan is. Of is how many requests it has at most, as far as is known.
type Step struct {
	Unit, Done, Of int
	Mode           string // "" over TCP
}

const firstUnits = 16 // most devices have one of these

// A part of a scan has one mode.
type part struct {
	device Device
	baud   int
	parity string
	units  []int
}

// Requests returns how many requests a scan makes at most, and how long it takes if nobody answers.
func (s *Scan) Requests(d Device) (n int, length time.Duration) {
	for _, p := range s.parts(d) {
		n += len(p.units)
		length += time.Duration(len(p.units)) * p.device.silence()
	}
	return n, length
}

// silence is how long it takes to find out that a unit is not there.
func (d *Device) silence() time.Duration {
	switch o := d.Options.(type) {
	case *modbus.RTU:
		perByte := d.Spec.SerialMode(o).PerByte()
		const bytes = 8 + 8 + 7 // request, echo, answer
		return o.Timeout + bytes*perByte + max(o.Gap, perByte*7/2)
	case *modbus.TCP:
		return o.Timeout + o.Gap
	}
	return 0
}

func (s *Scan) parts(d Device) (parts []part) {
	if !d.Serial() {
		return []part{{device: d, units: s.Units}}
	}
	first := min(firstUnits, len(s.Units))
	for _, units := range [][]int{s.Units[:first], s.Units[first:]} {
		for _, baud := range s.Bauds {
			for _, parity := range s.Parities {
				if len(units) == 0 {
					continue
				}
				p := part{device: d, baud: baud, parity: parity, units: units}
				o := *d.Options.(*modbus.RTU)
				o.Baud, o.Parity = baud, parity
				p.device.Options = &o
				parts = append(parts, p)
			}
		}
	}
	return parts
}

// Run scans until ctx ends, and returns what it has found by then.
func (s *Scan) Run(ctx context.Context, buses drivers.Buses, d Device) ([]Found, error) {
	for _, p := range s.parts(d) {
		if err := check(p.device.with(s.Register)); err != nil {
			return nil, &Mistake{err}
		}
	}
	var found []Found
	step := Step{}
	for parts := s.parts(d); ; {
		if !s.All && len(found) > 0 {
			parts = slices.DeleteFunc(parts, func(p part) bool { return p.baud != found[0].Baud || p.parity != found[0].Parity })
		}
		if len(parts) == 0 {
			return found, nil
		}
		step.Of = step.Done
		for _, p := range parts {
			step.Of += len(p.units)
		}
		more, err := s.part(ctx, buses, parts[0], &step)
		if found = append(found, more...); err != nil {
			return found, err
		}
		parts = parts[1:]
	}
}

// part asks the units in one mode.
func (s *Scan) part(ctx context.Context, buses drivers.Buses, p part, step *Step) (found []Found, err error) {
	if p.device.Serial() {
		step.Mode = fmt.Sprintf("%d baud, parity %s", p.baud, p.parity)
	}
	var port drivers.Port
	defer func() { err = errors.Join(err, giveBack(port)) }()
	for _, unit := range p.units {
		step.Unit = unit
		s.Progress(*step)
		step.Done++
		if port == nil {
			if port, err = buses.Port(ctx, p.device.Bus, p.device.Spec.SerialMode(p.device.Options)); err != nil {
				return found, err
			}
		}
		answer, err := p.device.ask(ctx, port, unit, s.Register)
		switch {
		case answer != "":
			found = append(found, Found{Unit: unit, Baud: p.baud, Parity: p.parity, Answer: answer})
		case ctx.Err() != nil:
			return found, ctx.Err()
		case errors.Is(err, os.ErrClosed): // a device may hang up on a unit that it does not have
			lost := port
			port = nil
			if err := giveBack(lost); err != nil {
				return found, err
			}
		}
	}
	return found, nil
}

func giveBack(p drivers.Port) error {
	if c, ok := p.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// ask returns what a unit answers, or "" and why it does not. An exception is an answer too, unless
// a gateway says with it that the unit does not answer.
func (d *Device) ask(ctx context.Context, port drivers.Port, unit int, r modbus.Register) (string, error) {
	var driver drivers.Driver
	var err error
	switch o := d.with(r).(type) {
	case *modbus.RTU:
		o.UnitID = unit
		driver, err = modbus.OpenRTU(ctx, port, *o)
	case *modbus.TCP:
		o.UnitID = unit
		driver, err = modbus.OpenTCP(ctx, port, *o)
	}
	if err != nil {
		return "", err
	}
	values, err := driver.Read(ctx)
	var e modbus.Exception
	switch {
	case err == nil:
		return fmt.Sprintf("%s is %v", r.Place(), values[0].Any()), nil
	case errors.As(err, &e) && !e.FromGateway():
		return e.Short(), nil
	}
	return "", err
}

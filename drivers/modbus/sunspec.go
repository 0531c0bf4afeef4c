package modbus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fieldgate/fieldgate/drivers"
)

const (
	lastModel = 0xffff // the number of what ends the list of models
	maxModels = 100    // of a device; the largest inverters have about 40
)

// bases are where the list of models may begin: section 4.1 of the SunSpec Information Model
// Specification.
func bases() []int { return []int{40000, 50000, 0} }

// A model is a part of the registers of a SunSpec device.
type model struct{ start, size int } // with its number and length

// firstOfEach returns the first entry of each field.
func firstOfEach(all []entry) []entry {
	var first []entry
	for _, e := range all {
		if !slices.ContainsFunc(first, func(f entry) bool { return f.Field == e.Field }) {
			first = append(first, e)
		}
	}
	return first
}

// findModels walks the list of models and finds the registers of the fields in it. What the device
// has no model for is Bad ("not present") from then on.
func (d *dev) findModels(ctx context.Context) error {
	at, err := d.findBase(ctx)
	if err != nil {
		return err
	}
	found := map[int]model{}
	var numbers []string
	for {
		data, err := d.readHolding(ctx, at, 2)
		if err != nil {
			return fmt.Errorf("%sthe list of SunSpec models breaks off at holding register %d, after %s: %w", d.title(), at, listed(numbers), err)
		}
		number, size := int(binary.BigEndian.Uint16(data)), 2+int(binary.BigEndian.Uint16(data[2:]))
		if number == lastModel {
			break
		}
		if number == 0 || len(numbers) == maxModels || at+size+2 > 65536 {
			return fmt.Errorf("%sthe list of SunSpec models has no end: at holding register %d, after %s, it goes on with model %d of %d registers", d.title(), at, listed(numbers), number, size)
		}
		if _, twice := found[number]; !twice {
			found[number] = model{at, size}
		}
		numbers = append(numbers, fmt.Sprint(number))
		at += size
	}
	return d.useModels(found, numbers)
}

// findBase returns the register after the mark with which the list of models begins.
func (d *dev) findBase(ctx context.Context) (int, error) {
	var last error
	for _, base := range bases() {
		data, err := d.readHolding(ctx, base, 2)
		switch refused := Exception(0); {
		case err == nil && string(data) == "SunS":
			return base + 2, nil
		case err != nil && (!errors.As(err, &refused) || refused.FromGateway()):
			return 0, fmt.Errorf("%sreading %s: %w", d.title(), place(holding, base, 2), err)
		case err != nil:
			last = err
		}
	}
	err := fmt.Errorf("%sno SunSpec device: none of the holding registers 40000, 50000 and 0 begins with \"SunS\"; many inverters need SunSpec, or Modbus, to be switched on in their menu, and their own unit_id (1, 3, 126)", d.title())
	if last != nil {
		return 0, fmt.Errorf("%w: %w", err, last)
	}
	return 0, err
}

func (d *dev) readHolding(ctx context.Context, address, size int) ([]byte, error) {
	q := readRequest(byte(d.unit), &block{table: holding, start: address, size: size})
	q.anyUnit = d.anyUnit
	return d.ask(ctx, &q)
}

// useModels sets where the registers of the fields are.
func (d *dev) useModels(found map[int]model, numbers []string) error {
	present := 0
	for i := range d.entries {
		e := &d.entries[i]
		e.missing = true
		for _, other := range d.models {
			if other.Field == e.Field && other.locate(found) {
				*e = other
				present++
				break
			}
		}
		d.values[i] = drivers.Bad(e.Field, "not present")
	}
	if present == 0 {
		err := fmt.Errorf("%snone of the fields is in the SunSpec models of this device, which are %s", d.title(), listed(numbers))
		if fit := profilesOf(found); fit != "" {
			err = fmt.Errorf("%w: use the profile %s", err, fit)
		}
		return err
	}
	d.models, d.blocks = nil, d.plan(d.entries)
	return nil
}

// profilesOf names the profiles that have fields in models of a device.
func profilesOf(found map[int]model) string {
	var names []string
	for _, name := range profileNames() {
		p, err := readProfile(name)
		if err == nil && name != "sunspec-common" && slices.ContainsFunc(p.Registers, func(r Register) bool {
			return slices.ContainsFunc(r.Models, func(m int) bool { _, ok := found[m]; return ok })
		}) {
			names = append(names, name)
		}
	}
	return strings.Join(names, " or ")
}

// locate sets the addresses of an entry in the first of its models that was found; false: there is
// none, or it is too short.
func (e *entry) locate(found map[int]model) bool {
	if e.Models == nil {
		return true
	}
	for _, number := range e.Models {
		m, ok := found[number]
		if !ok || e.Address+e.size > m.size || e.ScaleRegister != nil && *e.ScaleRegister >= m.size {
			continue
		}
		e.Address += m.start
		if e.ScaleRegister != nil {
			at := *e.ScaleRegister + m.start
			e.ScaleRegister = &at
		}
		return true
	}
	return false
}

func listed(numbers []string) string {
	const ends = 5
	switch n := len(numbers); {
	case n == 0:
		return "none"
	case n > 40:
		return fmt.Sprintf("%s … %s (%d models)", strings.Join(numbers[:ends], ", "), strings.Join(numbers[n-ends:], ", "), n)
	}
	return strings.Join(numbers, ", ")
}

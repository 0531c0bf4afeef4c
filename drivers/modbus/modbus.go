package modbus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
)

// A link carries requests to a device.
type link interface {
	// exchange sends a request and returns the data of its answer, or an error, which is an
	// Exception if the device refused.
	exchange(ctx context.Context, q *request) ([]byte, error)
}

// A connection is a Port in the network.
type connection interface {
	HangUp() error // until the next Write
}

// A dev is a Modbus device.
type dev struct {
	*settings
	link    link
	hangUp  func()  // ends the connection if that is wanted
	entries []entry // one for each field
	models  []entry // all of the map, until the models of a SunSpec device are found; else nil
	blocks  []block
	values  []drivers.Value
	first   int // the block that Read begins with
	read    bool
}

// OpenRTU makes the driver of a device on a serial line, whose port stays the caller's. It is a
// drivers.Writer if a register is writable. The options must pass Check.
func OpenRTU(ctx context.Context, port drivers.Port, o RTU) (drivers.Driver, error) {
	s := o.settings()
	return open(ctx, s, port, newRTU(s, port, o.mode()))
}

// OpenTCP is OpenRTU for a device in the network.
func OpenTCP(ctx context.Context, port drivers.Port, o TCP) (drivers.Driver, error) {
	s := o.settings()
	return open(ctx, s, port, newTCP(s, port))
}

func open(ctx context.Context, s *settings, port drivers.Port, l link) (drivers.Driver, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d := &dev{settings: s, link: l, entries: s.entries(), hangUp: func() {}}
	if c, ok := port.(connection); ok && s.closeAfterRead {
		d.hangUp = func() { _ = c.HangUp() } // what was read is good whatever becomes of it
	}
	if slices.ContainsFunc(d.entries, func(e entry) bool { return e.Models != nil }) {
		d.models = d.entries
		d.entries = firstOfEach(d.models)
	} else {
		d.blocks = s.plan(d.entries)
	}
	d.values = make([]drivers.Value, len(d.entries))
	if slices.ContainsFunc(d.entries, func(e entry) bool { return e.Writable }) {
		return writer{d}, nil
	}
	return d, nil
}

// Read asks for all blocks.
func (d *dev) Read(ctx context.Context) ([]drivers.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	defer d.hangUp()
	if d.models != nil {
		if err := d.findModels(ctx); err != nil {
			return nil, d.misfit(err)
		}
	}
	var refused error
	answered := false
	n, first := len(d.blocks), d.first
	for i := range n {
		at := (first + i) % n
		b := &d.blocks[at]
		data, err := d.ask(ctx, &b.request)
		if e := Exception(0); errors.As(err, &e) {
			refused = fmt.Errorf("%sreading %s: %w%s", d.title(), b.place(), err, d.hint(b, e))
			b.refused = fmt.Sprintf("exception %d", uint8(e))
			continue
		}
		if err != nil {
			d.first = at
			return nil, fmt.Errorf("%sreading %s: %w", d.title(), b.place(), err)
		}
		answered = true
		b.refused = ""
		copy(b.data, data)
	}
	d.first = 0
	if !answered {
		return nil, d.misfit(refused)
	}
	for i := range d.blocks {
		if err := d.decode(&d.blocks[i]); err != nil {
			return nil, fmt.Errorf("%s%w", d.title(), err)
		}
	}
	d.read = true
	return d.values, nil
}

// ask is an exchange that is repeated, within the timeout, while the device says that it is busy.
func (d *dev) ask(ctx context.Context, q *request) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	data, err := d.link.exchange(ctx, q)
	for again(q, err) && drivers.Wait(limited, min(busyPause, d.timeout/4)) == nil {
		next, nextErr := d.link.exchange(limited, q)
		if nextErr != nil && limited.Err() != nil { // the exception is what the device has said
			break
		}
		data, err = next, nextErr
	}
	return data, err
}

// busyPause is how long a busy device is left alone.
const busyPause = 50 * time.Millisecond

// again reports whether a device that refused should be asked again: section 7 of the application
// protocol. What it acknowledged is not written twice.
func again(q *request, err error) bool {
	e := Exception(0)
	return errors.As(err, &e) && (e == busy || e == acknowledged && !q.write)
}

// decode sets the values of a block after a reading. It fails when all floating-point numbers in it
// look as if their words were in the other order.
func (d *dev) decode(b *block) error {
	numbers, reversed := 0, 0
	var hint error
	for _, j := range b.entries {
		e := &d.entries[j]
		at := e.Address - b.start
		missing := b.refused
		if e.ScaleRegister != nil && missing == "" {
			missing = d.factorOf(e)
		}
		if missing != "" {
			d.values[j] = drivers.Bad(e.Field, missing)
			continue
		}
		if b.table.bits() {
			d.values[j] = drivers.Bool(e.Field, bit(b.data, at))
			continue
		}
		raw := b.data[2*at : 2*(at+e.size)]
		d.values[j] = e.value(raw)
		if e.class != floatClass {
			continue
		}
		got, other, looks := e.reversed(raw)
		if got != 0 {
			numbers++
		}
		if looks {
			reversed++
			hint = fmt.Errorf("%s: %s holds % x, which is %.4g as a %s with word_order = %q, and would be %.6g in the other order: set word_order",
				e.Field, e.place(), raw, got, e.Type, e.WordOrder, other)
		}
	}
	if reversed > 0 && reversed == numbers {
		return hint
	}
	return nil
}

// Close does nothing: the device needs no farewell, and the port belongs to its opener.
func (d *dev) Close() error { return nil }

// misfit adds to the error of a device with a profile what to do if it is another device.
func (s *settings) misfit(err error) error {
	if s.profile == "" || silent(err) {
		return err
	}
	return fmt.Errorf("%w; if this is not a device of the profile %s, `fieldgate modbus identify` finds the one that fits", err, s.profile)
}

// title begins a message.
func (s *settings) title() string { return fmt.Sprintf("%s: unit %d: ", s.driver, s.unit) }

// A writer is a dev with fields that can be written.
type writer struct{ *dev }

// Write sets one field in the device.
func (w writer) Write(ctx context.Context, v drivers.Value) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	i := slices.IndexFunc(w.entries, func(e entry) bool { return e.Writable && e.Field == v.Field })
	if i < 0 {
		return fmt.Errorf("%s%q is not a field that can be written; these are: %s", w.title(), v.Field, strings.Join(w.writable(), ", "))
	}
	e := &w.entries[i]
	if e.ScaleRegister != nil {
		if err := w.readFactor(ctx, e); err != nil {
			return err
		}
	}
	q, err := w.writeRequest(e, v)
	if err != nil {
		return fmt.Errorf("%s%w", w.title(), err)
	}
	if !w.read { // whether the line echoes must be known
		if _, err := w.Read(ctx); err != nil {
			return fmt.Errorf("before writing %s: %w", e.Field, err)
		}
	}
	defer w.hangUp()
	if _, err := w.ask(ctx, &q); err != nil {
		hint, refused := "", Exception(0)
		if errors.As(err, &refused) {
			hint = hintWrite(&q, refused)
		}
		return fmt.Errorf("%swriting %v to %s (%s): %w%s", w.title(), v.Any(), e.Field, e.place(), err, hint)
	}
	return nil
}

// writeRequest makes the request that sets an entry to a value.
func (s *settings) writeRequest(e *entry, v drivers.Value) (q request, err error) {
	if e.table == coil {
		if v.Kind() != drivers.KindBool {
			return request{}, fmt.Errorf("%s takes true or false, not a %s", e.Field, v.Kind())
		}
		q = writeCoil(byte(s.unit), e.Address, v.Bool(), s.writeMultiple)
		q.anyUnit = s.anyUnit
		return q, nil
	}
	data, err := e.registers(v)
	if err != nil {
		return request{}, err
	}
	q = writeRegisters(byte(s.unit), e.Address, data, s.writeMultiple)
	q.anyUnit = s.anyUnit
	return q, nil
}

func (d *dev) writable() []string {
	var names []string
	for _, e := range d.entries {
		if e.Writable {
			names = append(names, e.Field)
		}
	}
	return names
}

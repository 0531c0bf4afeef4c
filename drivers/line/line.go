package line

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
)

const (
	// glance is how long a read of the port waits before the context is looked at again.
	glance = 100 * time.Millisecond
	// backlog is how many bytes that arrived before a Read are looked through for the newest line.
	backlog = 64 << 10
)

// Dev is a device that writes lines.
type Dev struct {
	o      Options
	port   drivers.Port
	parser *parser
	lines  splitter
	spare  []drivers.Value // not in the caller's hands
	values []drivers.Value
	seen   evidence // since the last line that fitted
}

func open(ctx context.Context, port drivers.Port, o Options) (drivers.Driver, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p, err := newParser(&o)
	if err != nil {
		return nil, fmt.Errorf("line: %w", err)
	}
	return &Dev{o: o, port: port, parser: p, lines: newSplitter(o.MaxLine)}, nil
}

// Read returns the fields of the newest line that has arrived, or waits for one until ctx ends.
func (d *Dev) Read(ctx context.Context) ([]drivers.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if d.o.EveryLine && d.take() {
		return d.values, nil
	}
	found := false
	for arrived := 0; arrived < backlog; { // what is there already
		n, err := d.fill(0)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return nil, err
		}
		arrived += n
		if found = d.take() || found; found && d.o.EveryLine {
			return d.values, nil
		}
	}
	for !found {
		if err := ctx.Err(); err != nil {
			return nil, d.seen.explain(&d.o, err)
		}
		_, err := d.fill(glance)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, err
		}
		found = d.take()
	}
	return d.values, nil
}

// fill reads what the port has within the timeout.
func (d *Dev) fill(timeout time.Duration) (int, error) {
	if err := d.port.SetReadTimeout(timeout); err != nil {
		return 0, fmt.Errorf("line: %w", err)
	}
	n, err := d.port.Read(d.lines.room())
	d.seen.bytes(d.lines.put(n))
	if err != nil {
		return n, fmt.Errorf("line: %w", err)
	}
	return n, nil
}

// take takes the lines apart that are complete, until the first that fits where every line counts, and tells whether one did. The
// last one is in values.
func (d *Dev) take() (found bool) {
	for {
		line, ok := d.lines.next()
		if !ok {
			return found
		}
		d.spare, ok = d.parser.parse(d.spare[:0], line)
		if !ok {
			d.seen.line(line)
			continue
		}
		d.values, d.spare = d.spare, d.values
		d.seen = evidence{}
		if found = true; d.o.EveryLine {
			return true
		}
	}
}

// Close does nothing: the device speaks on, and whoever opened the port closes it.
func (d *Dev) Close() error { return nil }

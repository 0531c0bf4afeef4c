package line

import (
	"context"
	"fmt"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit/stream"
)

// Dev is a device that writes lines.
type Dev struct {
	o      Options
	reader *stream.Reader
	parser *parser
	lines  splitter
	spare  []drivers.Value // not in the caller's hands
	values []drivers.Value
	misfit string // the last line since the last one that fitted
}

// Open reads lines from a port, which stays the caller's. The options must pass Check.
func Open(ctx context.Context, port drivers.Port, o Options) (*Dev, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p, err := newParser(&o)
	if err != nil {
		return nil, fmt.Errorf("line: %w", err)
	}
	return &Dev{o: o, reader: stream.NewReader(port), parser: p, lines: newSplitter(o.MaxLine)}, nil
}

// Read returns the fields of the newest line that has arrived, or waits for one until ctx ends.
func (d *Dev) Read(ctx context.Context) ([]drivers.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var err error
	if !d.o.EveryLine {
		err = d.reader.Newest(ctx, d.take)
	} else if !d.next() {
		err = d.reader.Next(ctx, d.take)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, d.explain(err)
	case err != nil:
		return nil, fmt.Errorf("line: %w", err)
	}
	return d.values, nil
}

// take adds what has come to the lines. All those before were looked at, so there is room for it.
func (d *Dev) take(p []byte) bool {
	d.lines.put(copy(d.lines.room(), p))
	return d.next()
}

// next takes the lines apart that are complete, until the first that fits where every line counts,
// and reports whether one did. The last one is in values.
func (d *Dev) next() (found bool) {
	for {
		line, ok := d.lines.next()
		if !ok {
			return found
		}
		d.spare, ok = d.parser.parse(d.spare[:0], line)
		if !ok {
			d.misfit = line
			continue
		}
		d.values, d.spare = d.spare, d.values
		d.misfit = ""
		if found = true; d.o.EveryLine {
			return true
		}
	}
}

// Close does nothing: the device speaks on, and the port belongs to its opener.
func (d *Dev) Close() error { return nil }

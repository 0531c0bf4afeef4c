package line

import (
	"context"
	"fmt"
	"regexp"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit/stream"
)

// Dev is a device that writes lines.
type Dev struct {
	o       Options
	port    drivers.Port
	reader  *stream.Reader
	request []byte // what is sent before each reading; nil: nothing
	runs    int    // of the program of which the lines are
	late    bool   // the answer to the last has not come: it may be on its way
	lines   splitter
	records *recorder // nil: a line is a record
	decoder decoder
	parser  parser
	spare   []drivers.Value // not in the caller's hands
	values  []drivers.Value
	doubt   int // lines to be passed over after one that was noise
	seen    seen
}

const (
	doubtful = 2 // lines of columns that are passed over after one of noise
	glitch   = 8 // bytes: a line of noise that is not longer is a disturbance
)

// Open reads lines from a port, which stays the caller's. The options must pass Check.
func Open(ctx context.Context, port drivers.Port, o Options) (*Dev, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d := &Dev{o: o, port: port, reader: stream.NewReader(port), decoder: decoder{latin1: o.Encoding == latin1Text, keep: o.Separator}}
	var err error
	if d.parser, err = newParser(&o); err != nil {
		return nil, fmt.Errorf("line: %w", err)
	}
	lineEnd, err := encoded(o.Encoding, o.LineEnd)
	if err != nil {
		return nil, fmt.Errorf("line: line_end: %w", err)
	}
	d.lines = newSplitter(o.MaxLine, lineEnd)
	if o.RecordEnd != "" {
		end, err := regexp.Compile(o.RecordEnd)
		if err != nil {
			return nil, fmt.Errorf("line: record_end: %w", err)
		}
		d.records = &recorder{end: end, max: o.MaxLine, drop: true}
	}
	if o.Send != "" {
		if d.request, err = encoded(o.Encoding, o.Send); err != nil {
			return nil, fmt.Errorf("line: send: %w", err)
		}
	}
	return d, nil
}

// Read returns the fields of the newest line that has arrived, or waits for one until ctx ends.
func (d *Dev) Read(ctx context.Context) ([]drivers.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var err error
	switch {
	case d.request != nil:
		err = d.ask(ctx)
	case !d.o.EveryLine:
		err = d.reader.Newest(ctx, d.take)
	case !d.next():
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

// ask asks the device, and waits for its answer.
func (d *Dev) ask(ctx context.Context) error {
	silent, err := d.reader.Drop(ctx, d.late)
	d.late = true
	if err != nil {
		return err
	}
	d.restart(!silent)
	if _, err := d.port.Write(d.request); err != nil {
		return err
	}
	if err := d.reader.Next(ctx, d.take); err != nil {
		return err
	}
	d.late = false
	return nil
}

// restart forgets what has come. If inside is set, what comes next is the rest of a line.
func (d *Dev) restart(inside bool) {
	d.lines.restart(inside)
	if d.records != nil {
		d.records.restart(inside)
	}
	d.forget()
}

// take adds what has come to the lines. All those before were looked at, so there is room for it.
func (d *Dev) take(p []byte) bool {
	if runs := d.countRuns(); runs != d.runs { // what a program prints begins a line
		d.runs = runs
		d.lines.restart(false)
		if d.records != nil {
			d.records.restart(false)
		}
	}
	d.lines.put(copy(d.lines.room(), p))
	return d.next()
}

// countRuns returns how often the program has been started that the port is made of; 0: it is none.
func (d *Dev) countRuns() int {
	if p, ok := d.port.(interface{ Runs() int }); ok {
		return p.Runs()
	}
	return 0
}

// next takes the lines apart that are complete, until the first that fits if every line counts, and
// reports whether one did. The last one is in values.
func (d *Dev) next() (found bool) {
	for {
		line, ok := d.lines.next()
		if !ok {
			return found
		}
		text, ok := d.record(&line)
		if !ok || d.isDoubtful() {
			continue
		}
		d.spare, ok = d.parser.parse(d.spare[:0], text)
		if !ok {
			d.seen.misfit(line, text)
			continue
		}
		d.values, d.spare = d.spare, d.values
		d.forget()
		if found = true; d.o.EveryLine {
			return true
		}
	}
}

// record returns the text of a line that is to be taken apart; of the last line of a record, that
// of the record, which then is in line. It is false if there is none yet.
func (d *Dev) record(line *[]byte) (text []byte, ok bool) {
	trimmed := d.decoder.trim(*line)
	if d.records == nil {
		if len(trimmed) == 0 {
			return nil, false
		}
		return d.legible(trimmed)
	}
	record, ok := d.records.add(trimmed, d.decoder.text(trimmed))
	if !ok {
		d.seen.part(*line)
		return nil, false
	}
	*line = record
	return d.legible(record)
}

// legible returns a text unless it is the noise of a line.
func (d *Dev) legible(raw []byte) (text []byte, ok bool) {
	text = d.decoder.text(raw)
	if isGarbage(text) {
		d.seen.garbled++
		if len(raw) > glitch {
			d.doubt = doubtful
		}
		return nil, false
	}
	return text, true
}

// isDoubtful reports whether a line may be a part of noise: in enough of that, there is a digit
// between two line ends, which is all that a column needs.
func (d *Dev) isDoubtful() bool {
	if d.doubt == 0 || d.o.Columns == nil {
		return false
	}
	d.doubt--
	return true
}

// Close does nothing: the device speaks on, and the port belongs to its opener.
func (d *Dev) Close() error { return nil }

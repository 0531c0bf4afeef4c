package gpio

import (
	"context"
	"encoding/binary"
	"errors"
	"syscall"

	"github.com/warthog618/go-gpiocdev/uapi"

	"github.com/fieldgate/fieldgate/drivers"
)

// SpecIn is the entry of inputs in the table of drivers.
var SpecIn = onChip(drivers.Machine("gpio-in", "a pin as input: its level, and a counter of edges with their frequency", InOptions{Bias: "as-is", Edges: "none"}, (*InOptions).fields, OpenIn))

// onChip says which device files the driver opens.
func onChip(s drivers.Spec) drivers.Spec {
	s.Device = "gpiochip"
	return s
}

func (o *InOptions) fields() []drivers.Field {
	f := []drivers.Field{{Name: "level", Kind: drivers.KindBool, Doc: "the pin is active"}}
	if o.Edges != "none" {
		f = append(f,
			drivers.Field{Name: "count", Unit: drivers.Count.Unit(), Kind: drivers.KindInt, Range: drivers.AtLeast(0), Doc: "edges since the sensor was opened; with option edges"},
			drivers.Field{Name: "frequency", Unit: drivers.Frequency.Unit(), Kind: drivers.KindFloat, Range: drivers.AtLeast(0), Doc: "periods per second since the last reading, 0 when no edge came; with option edges"},
		)
	}
	return f
}

const (
	eventSize  = 48   // struct gpio_v2_line_event
	bufferSize = 1024 // edges that the kernel keeps: the most it does for one pin
)

// An edge is what the kernel says of one.
type edge struct {
	number uint32 // since the pin was taken
	at     uint64 // ns
}

// In is an input.
type In struct {
	pin     *pin
	counts  bool
	halved  bool // two edges are a period
	count   int64
	last    edge
	any     bool // last is one
	between bool // last came in the interval before this reading
	buf     [64 * eventSize]byte
	values  [3]drivers.Value
}

// OpenIn takes a pin as input. The options must pass Check.
func OpenIn(ctx context.Context, o InOptions) (*In, error) {
	if o.kernel == nil {
		o.kernel = linux{}
	}
	var attributes []uapi.LineAttribute
	if o.Debounce > 0 {
		attributes = append(attributes, uapi.DebouncePeriod(o.Debounce).Encode())
	}
	p, err := take(ctx, o.kernel, "gpio-in", o.Chip, o.Line, o.flags(), attributes...)
	if err != nil {
		return nil, err
	}
	return &In{pin: p, counts: o.Edges != "none", halved: o.Edges == "both"}, nil
}

// Read returns the level and, with edges, their count and frequency. It takes no time.
func (d *In) Read(ctx context.Context) ([]drivers.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n := 1
	if d.counts {
		if err := d.drain(); err != nil {
			return nil, d.pin.failed(err)
		}
		n = 3
	}
	level, err := d.pin.level()
	if err != nil {
		return nil, err
	}
	d.values[0] = drivers.Bool("level", level)
	return d.values[:n], nil
}

// drain takes the edges that the kernel has, and computes count and frequency. Where more came than
// it keeps, the newest are there, and their numbers tell how many there were.
func (d *In) drain() error {
	var first, last edge
	any := false
	// A pin that has more edges than can be taken away shall not hold the reading.
	for range 2 * bufferSize / 64 {
		n, err := d.pin.kernel.read(d.pin.fd, d.buf[:])
		if errors.Is(err, syscall.EAGAIN) || err == nil && n < eventSize {
			break
		}
		if err != nil {
			return err
		}
		for b := d.buf[:n]; len(b) >= eventSize; b = b[eventSize:] {
			last = edge{number: binary.NativeEndian.Uint32(b[20:]), at: binary.NativeEndian.Uint64(b)}
			if !any {
				first, any = last, true
			}
		}
	}
	frequency := drivers.Float("frequency", 0)
	if any {
		base := first
		if d.any && (d.between || first == last) {
			// after a pause the first edge of the new ones is the better base
			base = d.last
		}
		frequency = drivers.Bad("frequency", "not measured") // one edge has none
		if last.at > base.at {
			hertz := float64(last.number-base.number) * 1e9 / float64(last.at-base.at)
			if d.halved {
				hertz /= 2
			}
			frequency = drivers.Float("frequency", hertz)
		}
		d.count += int64(last.number - d.last.number)
		d.last, d.any = last, true
	}
	d.between = any
	d.values[1], d.values[2] = drivers.Int("count", d.count), frequency
	return nil
}

// Close gives the pin back.
func (d *In) Close() error { return d.pin.close() }

package gpio

import (
	"context"
	"errors"
	"fmt"

	"github.com/warthog618/go-gpiocdev/uapi"

	"github.com/fieldgate/fieldgate/drivers"
)

// SpecOut is the entry of outputs in the table of drivers.
var SpecOut = onChip(drivers.Machine("gpio-out", "a pin as output: a relay, a valve, a lamp", OutOptions{Drive: "push-pull", Initial: "off", AtClose: "off"}, outFields, OpenOut))

func outFields(*OutOptions) []drivers.Field {
	return []drivers.Field{{Name: "state", Kind: drivers.KindBool, Doc: "on, as the pin has it", Writable: true}}
}

// Out is an output.
type Out struct {
	o      OutOptions
	pin    *pin
	values [1]drivers.Value
}

// OpenOut takes a pin as output. The options must pass Check.
func OpenOut(ctx context.Context, o OutOptions) (*Out, error) {
	if o.kernel == nil {
		o.kernel = linux{}
	}
	d := &Out{o: o}
	var err error
	if o.Initial != "keep" {
		on := o.Initial == "on"
		if d.pin, err = take(ctx, o.kernel, "gpio-out", o.Chip, o.Line, o.flags(), uapi.OutputValues(bits(on)).Encode()); err != nil {
			return nil, err
		}
		// Some drivers give the chip the level before the direction, and a chip may heed it for
		// outputs only (QEMU's Aspeed does).
		if err := d.pin.set(on); err != nil {
			return nil, errors.Join(err, d.pin.close())
		}
		return d, nil
	}
	// Taken as it is, read, and only then driven, with what was read: an output does not flicker.
	if d.pin, err = take(ctx, o.kernel, "gpio-out", o.Chip, o.Line, o.polarity()); err != nil {
		return nil, err
	}
	active, err := d.pin.level()
	if err == nil {
		c := uapi.LineConfig{Flags: o.flags()}
		c.AddAttribute(uapi.LineConfigAttribute{Attr: uapi.OutputValues(bits(active)).Encode(), Mask: 1})
		if err = o.kernel.configure(d.pin.fd, &c); err != nil {
			err = d.pin.failed(err)
		}
	}
	if err != nil {
		return nil, errors.Join(err, d.pin.close())
	}
	return d, nil
}

// Read returns the state that the pin has.
func (d *Out) Read(ctx context.Context) ([]drivers.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	active, err := d.pin.level()
	if err != nil {
		return nil, err
	}
	d.values[0] = drivers.Bool("state", active)
	return d.values[:], nil
}

// Write switches.
func (d *Out) Write(ctx context.Context, v drivers.Value) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if v.Field != "state" || v.Kind() != drivers.KindBool {
		return fmt.Errorf("%s: %#v; want state, true or false", d.pin.title, v)
	}
	return d.pin.set(v.Bool())
}

// Close brings the pin into the state that at_close says, and gives it back.
func (d *Out) Close() error {
	if d.pin.fd < 0 {
		return nil
	}
	var err error
	if d.o.AtClose != "keep" {
		err = d.pin.set(d.o.AtClose == "on")
	}
	return errors.Join(err, d.pin.close())
}

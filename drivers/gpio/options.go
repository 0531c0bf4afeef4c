package gpio

import (
	"errors"
	"fmt"
	"time"

	"github.com/warthog618/go-gpiocdev/uapi"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit"
)

// InOptions are what the configuration may set of an input.
type InOptions struct {
	Line      string        `toml:"line" doc:"the pin's name, such as GPIO17, or its number on chip"`
	Chip      string        `toml:"chip" doc:"the chip's label, such as pinctrl-bcm2711, or its device, such as gpiochip0; needed if line is a number"`
	ActiveLow bool          `toml:"active_low" doc:"the pin is active (true) when it is at ground"`
	Bias      string        `toml:"bias" doc:"as-is, pull-up, pull-down or disabled"`
	Edges     string        `toml:"edges" doc:"what counts: none, rising (becomes active), falling or both"`
	Debounce  time.Duration `toml:"debounce" doc:"how long a level must be stable to count, 0s (off) to 1s"`

	kernel kernel // nil is the machine's
}

// OutOptions are what the configuration may set of an output.
type OutOptions struct {
	Line      string `toml:"line" doc:"the pin's name, such as GPIO17, or its number on chip"`
	Chip      string `toml:"chip" doc:"the chip's label, such as pinctrl-bcm2711, or its device, such as gpiochip0; needed if line is a number"`
	ActiveLow bool   `toml:"active_low" doc:"on is ground, as relay modules often have it"`
	Drive     string `toml:"drive" doc:"push-pull, open-drain or open-source"`
	Initial   string `toml:"initial" doc:"when the gateway starts: off, on, or keep, which leaves an output as it is"`
	AtClose   string `toml:"at_close" doc:"when the gateway ends in order: off, on or keep"`

	kernel kernel // nil is the machine's
}

// Check reports every option that has an impossible value.
func (o *InOptions) Check() error {
	return errors.Join(
		checkLine(o.Chip, o.Line),
		kit.CheckOneOf("bias", o.Bias, "as-is", "pull-up", "pull-down", "disabled"),
		kit.CheckOneOf("edges", o.Edges, "none", "rising", "falling", "both"),
		kit.CheckRange("debounce", o.Debounce.Seconds(), 0, 1, "s"),
	)
}

// Check reports every option that has an impossible value.
func (o *OutOptions) Check() error {
	return errors.Join(
		checkLine(o.Chip, o.Line),
		kit.CheckOneOf("drive", o.Drive, "push-pull", "open-drain", "open-source"),
		kit.CheckOneOf("initial", o.Initial, "off", "on", "keep"),
		kit.CheckOneOf("at_close", o.AtClose, "off", "on", "keep"),
	)
}

func checkLine(chip, line string) error {
	_, numbered := number(line)
	switch {
	case line == "":
		return &drivers.OptionError{Key: "line", Err: errors.New(`it is missing: the pin's name, such as "GPIO17"`)}
	case numbered && chip == "":
		return &drivers.OptionError{Key: "chip", Err: fmt.Errorf("it is missing, and line %q is a number on a chip", line)}
	}
	return nil
}

// flags returns what the kernel is asked for.
func (o *InOptions) flags() uapi.LineFlagV2 {
	f := uapi.LineFlagV2Input
	if o.ActiveLow {
		f |= uapi.LineFlagV2ActiveLow
	}
	switch o.Bias {
	case "pull-up":
		f |= uapi.LineFlagV2BiasPullUp
	case "pull-down":
		f |= uapi.LineFlagV2BiasPullDown
	case "disabled":
		f |= uapi.LineFlagV2BiasDisabled
	}
	switch o.Edges {
	case "rising":
		f |= uapi.LineFlagV2EdgeRising
	case "falling":
		f |= uapi.LineFlagV2EdgeFalling
	case "both":
		f |= uapi.LineFlagV2EdgeBoth
	}
	return f
}

// flags returns what the kernel is asked for once it is to drive the pin.
func (o *OutOptions) flags() uapi.LineFlagV2 {
	f := uapi.LineFlagV2Output | o.polarity()
	switch o.Drive {
	case "open-drain":
		f |= uapi.LineFlagV2OpenDrain
	case "open-source":
		f |= uapi.LineFlagV2OpenSource
	}
	return f
}

func (o *OutOptions) polarity() uapi.LineFlagV2 {
	if o.ActiveLow {
		return uapi.LineFlagV2ActiveLow
	}
	return 0
}

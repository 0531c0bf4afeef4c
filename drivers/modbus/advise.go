package modbus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/fieldgate/fieldgate/drivers"
)

// Advise says which profile fits the device that answers, for a sensor with a profile whose reading
// has failed; "" if the sensor has none. It reads for some seconds.
func (o *RTU) Advise(ctx context.Context, buses drivers.Buses, bus string) (string, error) {
	return advise(ctx, buses, bus, o.Profile, SpecRTU.SerialMode(o), func(p drivers.Port) ([]Match, error) { return IdentifyRTU(ctx, p, *o) })
}

// Advise is that of RTU, for a device in the network.
func (o *TCP) Advise(ctx context.Context, buses drivers.Buses, bus string) (string, error) {
	return advise(ctx, buses, bus, o.Profile, SpecTCP.SerialMode(o), func(p drivers.Port) ([]Match, error) { return IdentifyTCP(ctx, p, *o) })
}

func advise(ctx context.Context, buses drivers.Buses, bus, profile string, mode drivers.SerialMode, identify func(drivers.Port) ([]Match, error)) (advice string, err error) {
	if profile == "" {
		return "", nil
	}
	port, err := buses.Port(ctx, bus, mode)
	if err != nil {
		return "", err
	}
	if c, ok := port.(io.Closer); ok {
		defer func() { err = errors.Join(err, c.Close()) }()
	}
	matches, err := identify(port)
	var names []string
	for _, m := range matches {
		if m.Score == matches[0].Score && m.Fields == matches[0].Fields {
			names = append(names, m.Profile)
		}
	}
	switch {
	case err != nil:
		return "", err
	case len(names) == 0:
		return fmt.Sprintf("what answers is not a device of the profile %s, and no other fits", profile), nil
	}
	return fmt.Sprintf("what answers is not a device of the profile %s: set profile = %q", profile, strings.Join(names, `" or "`)), nil
}

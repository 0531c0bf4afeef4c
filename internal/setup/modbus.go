package setup

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/drivers/modbus"
	"github.com/fieldgate/fieldgate/internal/modbusline"
	"github.com/fieldgate/fieldgate/internal/scan"
)

// What is tried on a line, as fieldgate modbus scan does: the likely ones.
var (
	bauds    = []int{9600, 19200, 38400, 115200, 57600, 4800, 2400}
	parities = []string{"none", "even"}
)

const (
	lastUnit = 16 // most devices of a line have one up to this
	silence  = 150 * time.Millisecond
	silenceT = 500 * time.Millisecond // in the network
)

// modbus asks about lines and devices in the network, and looks at them.
func (s *session) modbus(ctx context.Context, f *scan.Found) error {
	for _, bus := range s.Answers.Modbus {
		if err := s.line(ctx, bus); err != nil {
			return err
		}
	}
	if len(s.Answers.Modbus) > 0 || s.Answers.NoScan || !s.Ask.Patient() {
		return nil
	}
	for _, p := range f.Serial {
		if len(p.Users) > 0 {
			continue
		}
		what := strings.Join(strings.Fields(p.Vendor+" "+p.Product), " ")
		if what != "" {
			what = " (" + what + ")"
		}
		yes, err := s.yes(ctx, Question{Text: fmt.Sprintf("Is there a Modbus line at %s%s", p.Name, what), Flag: "--modbus"}, false)
		if err != nil {
			return err
		}
		if yes {
			if err := s.line(ctx, p.Name); err != nil {
				return err
			}
		}
	}
	for {
		bus, err := s.Ask.Ask(ctx, Question{Text: "Another Modbus line, or device in the network such as 192.168.1.20:502", Default: None, Flag: "--modbus"})
		if err != nil {
			return err
		}
		if bus = strings.TrimSpace(bus); bus == None {
			return nil
		}
		if host, err := netip.ParseAddr(bus); err == nil {
			bus = net.JoinHostPort(host.String(), "502")
		}
		if err := s.line(ctx, bus); err != nil {
			return err
		}
	}
}

// line looks who answers at a bus, and which profiles fit. What goes wrong is said.
func (s *session) line(ctx context.Context, bus string) error {
	d, err := modbusline.NewDevice(bus, false)
	var found []modbusline.Found
	if err == nil {
		found, err = s.units(ctx, d)
	}
	s.Ask.Progress("")
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		err = fmt.Errorf("%s: %w", bus, err)
	case len(found) == 0:
		err = fmt.Errorf("nobody answers at %s: is the device on, and wired A to A and B to B? fieldgate modbus scan looks further", bus)
	}
	if err != nil {
		if !s.Ask.Patient() {
			return fmt.Errorf("--modbus: %w", err)
		}
		s.Ask.Say("  " + sentence(err.Error()))
		return nil
	}
	for _, f := range found {
		if err := s.unit(ctx, d, f); err != nil {
			return err
		}
	}
	return nil
}

// units returns who answers.
func (s *session) units(ctx context.Context, d modbusline.Device) ([]modbusline.Found, error) {
	scan := modbusline.Scan{Bauds: bauds, Parities: parities, Register: modbus.Register{Field: "value", Table: "holding"}}
	timeout := silence
	if d.Serial() {
		for u := 1; u <= lastUnit; u++ {
			scan.Units = append(scan.Units, u)
		}
	} else { // one device, which has its usual unit id or answers to any
		timeout, scan.Units = silenceT, []int{1, 255, 0}
		if err := d.Set("any_unit", true); err != nil {
			return nil, err
		}
	}
	if err := d.Set("timeout", timeout); err != nil {
		return nil, err
	}
	scan.Progress = func(p modbusline.Step) {
		s.Ask.Progress(strings.TrimSuffix(fmt.Sprintf("%s: %d of %d, unit %d, %s", d.Bus, p.Done+1, p.Of, p.Unit, p.Mode), ", "))
	}
	found, err := scan.Run(ctx, s.Buses, d)
	if !d.Serial() && len(found) > 1 {
		found = found[:1]
	}
	return found, err
}

// unit finds the profile of a unit that answers, and proposes it.
func (s *session) unit(ctx context.Context, d modbusline.Device, f modbusline.Found) error {
	settings := map[string]any{"unit_id": f.Unit}
	if d.Serial() {
		settings["baud"], settings["parity"] = f.Baud, f.Parity
	}
	d.Options = d.Spec.Options()
	for key, value := range settings {
		if err := d.Set(key, value); err != nil {
			return err
		}
	}
	title := fmt.Sprintf("Unit %d on %s", f.Unit, d.Bus)
	s.Ask.Progress(title + ": which device is it?")
	matches, err := d.Identify(ctx, s.Buses)
	s.Ask.Progress("")
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil && len(matches) == 0 {
		err = errors.New("no profile fits: describe its registers from its manual; fieldgate modbus read shows what they hold")
	}
	if err != nil {
		s.Ask.Say(sentence(fmt.Sprintf("%s answers, and is left out: %v", title, err)))
		s.result.Left = append(s.result.Left, Sensor{Name: fmt.Sprintf("unit-%d", f.Unit), Driver: d.Spec.Name, Bus: d.Bus, Error: err.Error()})
		return nil
	}
	profile, others := "profile = "+quote(matches[0].Profile), []string(nil)
	for _, m := range matches[1:] {
		if m.Score == matches[0].Score && m.Fields == matches[0].Fields {
			others = append(others, m.Profile)
		}
	}
	if others != nil {
		profile += "    # or " + strings.Join(others, ", ") + ": what is printed on the device decides"
	}
	return s.consider(ctx, proposal{what: title + ", profile " + matches[0].Profile, usual: true,
		drivers: []sensor{{name: matches[0].Profile, driver: d.Spec.Name, bus: d.Bus, options: append([]string{profile}, lines(d.Settings())...)}}})
}

func lines(text string) []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n") }

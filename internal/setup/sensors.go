package setup

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/scan"
)

// testTime is how long a sensor may take to be tried.
const testTime = 10 * time.Second

// sensors finds what is attached, tries it, and lets it be named.
func (s *session) sensors(ctx context.Context) error {
	board := proposal{what: "This board", drivers: []sensor{{name: "board", driver: "host"}}, usual: true}
	found := new(scan.Found)
	if !s.Answers.NoScan {
		identify, err := s.mayIdentify(ctx)
		if err != nil {
			return err
		}
		s.Ask.Progress("looking for sensors")
		found = s.Scan(ctx, identify)
		s.Ask.Progress("")
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.buses(found)
	}
	for _, p := range append([]proposal{board}, propose(found)...) {
		if err := s.consider(ctx, p); err != nil {
			return err
		}
	}
	return s.modbus(ctx, found)
}

// mayIdentify asks whether drivers may write to the chips of I2C, if there is a bus.
func (s *session) mayIdentify(ctx context.Context) (bool, error) {
	if s.Answers.Identify {
		return true, nil
	}
	if !s.Ask.Patient() || !s.I2C {
		return false, nil
	}
	return s.yes(ctx, Question{Text: "May the chips on I2C be asked who they are? That writes to them", Flag: "--identify"}, true)
}

// buses says which buses could not be looked at, and what to do.
func (s *session) buses(f *scan.Found) {
	if len(f.I2C) == 0 && s.NoI2C != "" {
		s.Ask.Say("No I2C bus: " + s.NoI2C + ".")
	}
	for _, b := range f.I2C {
		if why := b.Left + b.Error; why != "" {
			s.Ask.Say(sentence(b.Bus + ": " + strings.TrimPrefix(why, b.Bus+": ")))
		}
	}
	for _, p := range f.Serial {
		if len(p.Users) > 0 {
			s.Ask.Say(sentence(p.Name + " is in use by " + strings.Join(p.Users, ", ") + " and was left alone"))
		}
	}
}

// A proposal is something that was found, with the sensors that it may be, the likeliest first.
type proposal struct {
	what    string
	drivers []sensor
	usual   bool // it is what a gateway is for
}

// propose makes proposals of what a scan found.
func propose(f *scan.Found) (list []proposal) {
	for _, b := range f.I2C {
		for _, d := range b.Devices {
			if len(d.Drivers) == 0 || d.Sensor != "" {
				continue
			}
			p := proposal{what: fmt.Sprintf("%s on %s", d.Address, b.Bus), usual: true}
			for _, driver := range d.Drivers {
				p.drivers = append(p.drivers, sensor{name: driver, driver: driver, bus: b.Bus, options: []string{"address = " + d.Address}})
			}
			list = append(list, p)
		}
	}
	for _, id := range f.W1 {
		list = append(list, proposal{what: "1-Wire " + id, usual: true, drivers: []sensor{{name: "temperature-" + id[max(len(id)-4, 0):], driver: "ds18b20", options: []string{"id = " + quote(id)}}}})
	}
	for _, d := range f.Hwmon {
		if options := scan.KernelOptions("hwmon", d); options != nil {
			// What is at an I2C address was attached to be measured; the rest is the board's own.
			usual := strings.Contains(d.Device, "-00")
			list = append(list, proposal{what: fmt.Sprintf("hwmon %s at %s", d.Name, d.Device), usual: usual, drivers: []sensor{{name: scan.CleanName(d.Name), driver: "hwmon", options: options}}})
		}
	}
	for _, d := range f.IIO {
		if options := scan.KernelOptions("iio", d); options != nil {
			list = append(list, proposal{what: fmt.Sprintf("IIO %s at %s", d.Name, d.Device), usual: true, drivers: []sensor{{name: scan.CleanName(d.Name), driver: "iio", options: options}}})
		}
	}
	return list
}

// consider tries what a proposal may be, and takes the first that works.
func (s *session) consider(ctx context.Context, p proposal) error {
	title := p.what
	if len(p.drivers) > 1 {
		var names []string
		for _, d := range p.drivers {
			names = append(names, d.driver)
		}
		title += ", which may be " + strings.Join(names, " or ")
	} else if p.drivers[0].driver != "host" {
		title += ", driver " + p.drivers[0].driver
	}
	s.Ask.Say(title)
	chosen, reading, err := p.drivers[0], "", error(nil)
	for i, d := range p.drivers {
		var failed error
		if reading, failed = s.try(ctx, &d); failed == nil {
			chosen, err = d, nil
			break
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if i == 0 || len(p.drivers) == 1 {
			err = failed
		}
	}
	usual := p.usual
	if err != nil {
		s.Ask.Say("  " + sentence("it cannot be read: "+err.Error()))
		usual = false
	} else if reading != "" {
		if len(p.drivers) > 1 {
			reading = chosen.driver + ": " + reading
		}
		s.Ask.Say("  " + reading)
	}
	return s.name(ctx, chosen, reading, err, usual)
}

// leave is the name of a sensor that nobody wants.
const leave = "-"

// name asks what a sensor is called, and puts it into the draft.
func (s *session) name(ctx context.Context, found sensor, reading string, failed error, usual bool) error {
	found.name = s.free(found.name)
	entry := Sensor{Driver: found.driver, Bus: found.bus, Reading: reading}
	if failed != nil {
		entry.Error = failed.Error()
	}
	q := Question{Text: "  Its name (" + leave + " leaves it out)", Default: found.name, Flag: "--yes"}
	if !usual {
		q.Default = leave
		q.Text = "  Its name, such as " + found.name + " (" + leave + " leaves it out)"
	}
	for {
		answer, err := s.Ask.Ask(ctx, q)
		if err != nil {
			return err
		}
		if answer = strings.TrimSpace(answer); answer == leave {
			entry.Name = found.name
			s.result.Left = append(s.result.Left, entry)
			return nil
		}
		with := s.draft
		found.name = answer
		with.sensors = append(slices.Clone(with.sensors), found)
		if _, err = s.check(with); err == nil {
			s.draft = with
			entry.Name = answer
			s.result.Sensors = append(s.result.Sensors, entry)
			return nil
		}
		if !s.Ask.Patient() {
			return fmt.Errorf("%s: %w", found.driver, err)
		}
		s.Ask.Say("  " + sentence(err.Error()))
	}
}

// free returns a name that no sensor of the draft has.
func (s *session) free(name string) string {
	for n := 1; ; n++ {
		candidate := name
		if n > 1 {
			candidate = fmt.Sprintf("%s-%d", name, n)
		}
		if !slices.ContainsFunc(s.draft.sensors, func(o sensor) bool { return o.name == candidate }) {
			return candidate
		}
	}
}

// try measures once with a sensor. It returns the values, in a line.
func (s *session) try(ctx context.Context, d *sensor) (string, error) {
	if s.Answers.NoTest {
		return "", nil
	}
	c, err := s.check(draft{sensors: []sensor{*d}})
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(c.Sensors, func(x config.Sensor) bool { return x.Name == d.name })
	x := &c.Sensors[i]
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(x.Timeout, testTime))
	defer cancel()
	s.Ask.Progress(strings.TrimSpace("trying " + d.driver + " " + filepath.Base(d.bus)))
	defer s.Ask.Progress("")
	driver, err := x.Spec.Open(ctx, s.Buses, x.Bus, x.Options)
	if err != nil {
		return "", err
	}
	defer driver.Close()
	values, err := driver.Read(ctx)
	if err != nil {
		return "", err
	}
	return readingText(values, x.Spec.Fields(x.Options)), nil
}

// shown is how many fields of a reading are.
const shown = 5

// readingText says values with their units.
func readingText(values []drivers.Value, fields []drivers.Field) string {
	units := map[string]string{}
	for _, f := range fields {
		units[f.Name] = f.Unit
	}
	var parts []string
	for _, v := range values {
		if v.Kind() == drivers.KindBad || len(parts) == shown {
			continue
		}
		shown := fmt.Sprintf("%v %s", v.Any(), units[v.Field])
		if v.Kind() == drivers.KindInt && units[v.Field] == drivers.Bytes.Unit() {
			shown = config.Size(v.Int()).Rounded()
		}
		parts = append(parts, strings.TrimSpace(v.Field+" "+shown))
	}
	text := strings.Join(parts, ", ")
	if more := len(values) - len(parts); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

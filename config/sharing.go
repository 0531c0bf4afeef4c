package config

import (
	"fmt"
	"path/filepath"
	"reflect"

	"github.com/fieldgate/fieldgate/drivers"
)

// checkSharing reports those of the sensors with these numbers that cannot be on one bus together. Those that are switched off harm nobody.
func (b *binder) checkSharing(sensors []Sensor, sound []int) {
	first := map[string]int{} // the sensor at each place
	for _, i := range sound {
		s := &sensors[i]
		if !s.Enabled || s.Bus == "" {
			continue
		}
		place := s.Bus
		address, addressed := addressOf(s)
		if addressed {
			place = fmt.Sprintf("%s 0x%02x", s.Bus, address)
		}
		j, taken := first[place]
		if !taken {
			first[place] = i
			continue
		}
		other := &sensors[j]
		at := b.at(fmt.Sprintf("sensor.%d.name", j))
		where := fmt.Sprintf("sensor %q (%s:%d)", other.Name, filepath.Base(at.file), at.line)
		path := fmt.Sprintf("sensor.%d", i)
		switch {
		case addressed && s.Driver != other.Driver:
			b.report(b.at(path+".driver"), "%s: there is driver %q at address 0x%02x of %s already, for %s: one chip answers there", path, other.Driver, address, s.Bus, where)
		case s.Spec.Bus == drivers.SerialBus && !(s.Spec.Shared && other.Spec.Shared):
			b.report(b.at(path+".bus"), "%s.bus: %s belongs to %s: a serial port has one device, unless all are on one line and speak when they are asked", path, s.Bus, where)
		case s.Spec.Line != nil && other.Spec.Line != nil && s.Spec.Line(s.Options) != other.Spec.Line(other.Options):
			b.report(b.at(path+".options"), "%s: the line %s is %s for %s and %s here: all devices of a line must be set to the same", path, s.Bus,
				other.Spec.Line(other.Options), where, s.Spec.Line(s.Options))
		}
	}
}

// addressOf returns the option `address` of a sensor on an I2C bus.
func addressOf(s *Sensor) (address int64, ok bool) {
	o := reflect.ValueOf(s.Options)
	if s.Spec.Bus != drivers.I2CBus || o.Kind() != reflect.Pointer || o.Elem().Kind() != reflect.Struct {
		return 0, false
	}
	i, ok := fieldsOf(o.Elem().Type())["address"]
	if !ok {
		return 0, false
	}
	switch v := o.Elem().Field(i); {
	case v.CanInt():
		return v.Int(), true
	case v.CanUint():
		return int64(v.Uint()), true
	}
	return 0, false
}

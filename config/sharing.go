package config

import (
	"fmt"
	"path/filepath"

	"github.com/fieldgate/fieldgate/drivers"
)

// checkSharing reports those of the sensors with these numbers that cannot be on one bus together.
// Those that are switched off harm nobody.
func (b *binder) checkSharing(sensors []Sensor, sound []int) {
	first := map[string]int{} // the sensor at each place
	for _, i := range sound {
		s := &sensors[i]
		if !s.Enabled || s.Bus == "" {
			continue
		}
		place := s.Bus
		address := drivers.AddressOption(s.Spec, s.Options)
		if address != nil {
			place = fmt.Sprintf("%s 0x%02x", s.Bus, *address)
		}
		j, taken := first[place]
		if !taken {
			first[place] = i
			continue
		}
		other := &sensors[j]
		b.checkNeighbours(sensors, sound, i)
		at := b.at(fmt.Sprintf("sensor.%d.name", j))
		where := fmt.Sprintf("sensor %q (%s:%d)", other.Name, filepath.Base(at.file), at.line)
		path := fmt.Sprintf("sensor.%d", i)
		switch {
		case address != nil && s.Driver != other.Driver:
			b.report(b.at(path+".driver"), "%s: driver %q already uses address 0x%02x of %s, for %s: only one chip answers there", path, other.Driver, *address, s.Bus, where)
		case s.Spec.Bus == drivers.SerialBus && !(s.Spec.Shared && other.Spec.Shared) && !ownPorts(s, other):
			b.report(b.at(path+".bus"), "%s.bus: %s belongs to %s: a serial port has one device, unless all are on one line and answer only when asked", path, s.Bus, where)
		case s.Spec.SerialMode != nil && other.Spec.SerialMode != nil && !ownPorts(s, other) && s.Spec.SerialMode(s.Options) != other.Spec.SerialMode(other.Options):
			mine, theirs := s.Spec.SerialMode(s.Options), other.Spec.SerialMode(other.Options)
			if mine.ConnectDelay != theirs.ConnectDelay {
				b.report(b.at(path+".options"), "%s: connect_delay is %v for %s and %v here: all sensors of a connection must have the same", path, theirs.ConnectDelay, where, mine.ConnectDelay)
				continue
			}
			b.report(b.at(path+".options"), "%s: the line %s is %s for %s and %s here: all devices of a line must have the same settings", path, s.Bus, theirs, where, mine)
		}
	}
}

// checkNeighbours asks the options of a sensor, if they have an opinion, whether they agree with
// those of each sensor before it on the same bus.
func (b *binder) checkNeighbours(sensors []Sensor, sound []int, i int) {
	s := &sensors[i]
	o, ok := s.Options.(interface{ SharesWith(other any) error })
	if !ok {
		return
	}
	for _, j := range sound {
		other := &sensors[j]
		if j >= i || !other.Enabled || other.Bus != s.Bus {
			continue
		}
		if err := o.SharesWith(other.Options); err != nil {
			path := fmt.Sprintf("sensor.%d.options", i)
			b.report(b.at(path), "%s: %v (sensor %q has %s as well)", path, err, other.Name, s.Bus)
			return
		}
	}
}

// ownPorts reports whether two sensors have a connection or a process each.
func ownPorts(s, other *Sensor) bool {
	p, err := drivers.ParsePort(s.Bus)
	return err == nil && p.Kind != drivers.DevicePort && !s.Spec.Shared && !other.Spec.Shared
}

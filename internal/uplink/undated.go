package uplink

import (
	"maps"

	"github.com/fieldgate/fieldgate/buffer"
)

// dated returns the pins that can be rendered. If the format needs a time, readings of a kernel
// boot whose time is not known go back to the store, which passes over all of that kernel boot from
// then on: no number of them keeps those waiting that have a time. They are neither lost nor given
// a wrong time, and go when the time becomes known, or with a format that does not need it.
func (u *Uplink) dated(pins []buffer.Pin) []buffer.Pin {
	if !u.cfg.Encoder.NeedsTime() {
		return pins
	}
	kept, undated := pins[:0], u.recs[:0]
	for _, pin := range pins {
		r := pin.Record()
		if _, known := u.cfg.Clock.Time(r.Kernel, r.Up); known || r.Kind == buffer.Events {
			kept = append(kept, pin)
		} else {
			undated = append(undated, r)
		}
	}
	if u.recs = undated; len(undated) == 0 {
		return kept
	}
	for i := range undated {
		if k := undated[i].Kernel; !u.undated[k] {
			u.undated[k] = true
			u.cfg.Log.Warn("readings of a power-up wait until its time is known: telemetry.format needs it", "sensor", undated[i].Stream, "run", undated[i].Run, "kernel_boot", k)
		}
	}
	u.cfg.Queue.HoldKernels(u.undated)
	u.cfg.Queue.Release(undated)
	return kept
}

// date lets the readings go whose time has become known.
func (u *Uplink) date() {
	before := len(u.undated)
	maps.DeleteFunc(u.undated, func(kernel string, _ bool) bool {
		_, known := u.cfg.Clock.Time(kernel, 0)
		return known
	})
	if len(u.undated) < before {
		u.cfg.Queue.HoldKernels(u.undated)
	}
}

package p1

import (
	"strconv"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit"
)

// A measure makes one field of a telegram.
type measure struct {
	drivers.Field
	value func(o objects, f drivers.Field) drivers.Value
}

// measures returns all fields that there are.
func measures() []measure {
	all := []measure{
		number("energy_import", "kWh", "1-0:1.8.0", "taken from the grid"),
		number("energy_import_1", "kWh", "1-0:1.8.1", "taken in tariff 1: low in the Netherlands, high in Belgium"),
		number("energy_import_2", "kWh", "1-0:1.8.2", "taken in tariff 2"),
		number("energy_export", "kWh", "1-0:2.8.0", "given to the grid"),
		number("energy_export_1", "kWh", "1-0:2.8.1", "given in tariff 1"),
		number("energy_export_2", "kWh", "1-0:2.8.2", "given in tariff 2"),
		number("power_import", drivers.Power.Unit(), "1-0:1.7.0", "being taken"),
		number("power_export", drivers.Power.Unit(), "1-0:2.7.0", "being given"),
		{drivers.Field{Name: "tariff", Kind: drivers.KindInt, Range: drivers.AtLeast(0), Doc: "in force, 0-0:96.14.0"}, tariff},
		number("frequency", drivers.Frequency.Unit(), "1-0:14.7.0", "of the grid"),
	}
	for i, phase := range []string{"l1", "l2", "l3"} {
		code := func(first int, rest string) string { return "1-0:" + strconv.Itoa(first+20*i) + rest }
		all = append(all,
			number("voltage_"+phase, drivers.Voltage.Unit(), code(32, ".7.0"), "of the phase"),
			number("current_"+phase, drivers.Current.Unit(), code(31, ".7.0"), "of the phase, without sign"),
			number("power_import_"+phase, drivers.Power.Unit(), code(21, ".7.0"), "being taken from the phase"),
			number("power_export_"+phase, drivers.Power.Unit(), code(22, ".7.0"), "being given to the phase"),
		)
	}
	all = append(all, external("gas", "m3", 3)...)
	all = append(all, external("heat", drivers.Energy.Unit(), 4)...)
	all = append(all, external("water", "m3", 7)...)
	return append(all, measure{drivers.Field{Name: "time", Kind: drivers.KindString, Doc: "of the telegram, 0-0:1.0.0, as 2026-11-20T15:04:05+01:00"},
		func(o objects, f drivers.Field) drivers.Value {
			groups := o["0-0:1.0.0"]
			if len(groups) != 1 {
				return drivers.Bad(f.Name, "not present")
			}
			return clock(f, groups[0])
		}})
}

// choice is what the option fields chooses from.
func choice() kit.Fields[measure] {
	return kit.Fields[measure]{All: measures(), Of: func(m measure) drivers.Field { return m.Field },
		Usual: []string{"energy_import_1", "energy_import_2", "energy_export_1", "energy_export_2", "power_import", "power_export", "tariff"}} // of every DSMR meter
}

// AllFields returns the names of all fields that there are.
func AllFields() []string { return choice().Names() }

// number makes the measure of a code that has a number.
func number(name, unit, code, doc string) measure {
	f := drivers.Field{Name: name, Unit: unit, Kind: drivers.KindFloat, Range: drivers.AnyNumber(), Doc: doc + ", " + code}
	return measure{f, func(o objects, f drivers.Field) drivers.Value {
		groups := o[code]
		if len(groups) != 1 {
			return drivers.Bad(f.Name, "not present")
		}
		q, ok := measured(groups[0])
		if !ok {
			return drivers.Bad(f.Name, "format")
		}
		return inUnit(f, q)
	}}
}

// inUnit returns a quantity in the unit of a field.
func inUnit(f drivers.Field, q quantity) drivers.Value {
	scale, known := map[string]float64{
		"kWh kWh": 1, "Wh kWh": 0.001, "kW W": 1000, "W W": 1, "V V": 1, "A A": 1, "Hz Hz": 1, "m3 m3": 1, "GJ J": 1e9, "MJ J": 1e6,
	}[q.unit+" "+f.Unit]
	if !known {
		return drivers.Bad(f.Name, "unit")
	}
	return drivers.Float(f.Name, drivers.NewLinear(scale, 0).Apply(q.number))
}

func tariff(o objects, f drivers.Field) drivers.Value {
	groups := o["0-0:96.14.0"]
	if len(groups) != 1 {
		return drivers.Bad(f.Name, "not present")
	}
	v, err := strconv.ParseUint(groups[0], 10, 16)
	if err != nil {
		return drivers.Bad(f.Name, "format")
	}
	return drivers.Int(f.Name, int64(v))
}

// external makes the measures of a meter that the electricity meter reads by M-Bus: what it counts,
// and when.
func external(name, unit string, kind int) []measure {
	find := func(o objects, f drivers.Field, value func(q quantity, at string) drivers.Value) drivers.Value {
		q, at, present := o.external(kind)
		switch {
		case !present:
			return drivers.Bad(f.Name, "not present")
		case at == "": // it was never reached
			return drivers.Bad(f.Name, "not measured")
		}
		return value(q, at)
	}
	return []measure{
		{drivers.Field{Name: name, Unit: unit, Kind: drivers.KindFloat, Range: drivers.AnyNumber(), Doc: "counted by the " + name + " meter at " + name + "_time"},
			func(o objects, f drivers.Field) drivers.Value {
				return find(o, f, func(q quantity, _ string) drivers.Value { return inUnit(f, q) })
			}},
		{drivers.Field{Name: name + "_time", Kind: drivers.KindString, Doc: "when " + name + " was measured, as 2026-11-20T15:00:00+01:00"},
			func(o objects, f drivers.Field) drivers.Value {
				return find(o, f, func(_ quantity, at string) drivers.Value { return clock(f, at) })
			}},
	}
}

// clock returns a time of the meter.
func clock(f drivers.Field, text string) drivers.Value {
	at, reason := moment(text)
	if reason != "" {
		return drivers.Bad(f.Name, reason)
	}
	return drivers.String(f.Name, at)
}

package modbus

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fieldgate/fieldgate/drivers"
)

// A Match is a profile that fits what a device answers.
type Match struct {
	Profile string `json:"profile"`
	// Score counts what speaks for it: more is better.
	Score int `json:"score"`
	// Evidence are the values that do.
	Evidence []string `json:"evidence"`
	// Fields is how many the device has values for. Of two profiles with the same score, the one
	// with more fields is the better.
	Fields int `json:"fields"`
}

// IdentifyRTU returns the profiles that fit the device of the options, the best first: those of
// which it has all registers, with values that are possible. It only reads. No answer at all is an
// error.
func IdentifyRTU(ctx context.Context, port drivers.Port, o RTU) ([]Match, error) {
	return identify(ctx, func(p Profile) (drivers.Driver, error) {
		with := o
		if err := with.UseProfile(p.Name); err != nil {
			return nil, err
		}
		with.UnitID, with.Timeout, with.Baud, with.Parity, with.StopBits, with.Fields = o.UnitID, o.Timeout, o.Baud, o.Parity, o.StopBits, nil
		with.Registers = slices.Concat(p.Registers, p.traits())
		return OpenRTU(ctx, port, with)
	})
}

// IdentifyTCP is IdentifyRTU for a device in the network.
func IdentifyTCP(ctx context.Context, port drivers.Port, o TCP) ([]Match, error) {
	return identify(ctx, func(p Profile) (drivers.Driver, error) {
		with := o
		if err := with.UseProfile(p.Name); err != nil {
			return nil, err
		}
		with.UnitID, with.Timeout, with.Fields = o.UnitID, o.Timeout, nil
		with.Registers = slices.Concat(p.Registers, p.traits())
		return OpenTCP(ctx, port, with)
	})
}

func identify(ctx context.Context, open func(Profile) (drivers.Driver, error)) ([]Match, error) {
	all, err := Profiles()
	if err != nil {
		return nil, err
	}
	var matches []Match
	var nobody error
	answered := false
	for _, p := range all {
		d, err := open(p)
		if err != nil {
			return nil, err
		}
		values, err := d.Read(ctx)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if silent(err) {
			nobody = err
			continue
		}
		answered = true
		if err != nil {
			continue
		}
		if m, fits := p.judge(values); fits {
			matches = append(matches, m)
		}
	}
	if !answered {
		return nil, nobody
	}
	slices.SortStableFunc(matches, func(a, b Match) int { return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(b.Fields, a.Fields)) })
	return matches, nil
}

const traitPrefix = "trait_" // of the fields of traits, before their number

// traits returns the traits as registers.
func (p *Profile) traits() []Register {
	all := make([]Register, len(p.Identify))
	for i, t := range p.Identify {
		all[i] = Register{Field: traitPrefix + strconv.Itoa(i), Table: t.Table, Address: t.Address, Type: t.Type, Length: t.Length}
	}
	return all
}

// holds reports whether a value is what the trait says.
func (t *Trait) holds(v drivers.Value) bool {
	if v.Kind() == drivers.KindString {
		return slices.Contains(t.Equals, any(v.Text()))
	}
	n, ok := number(v)
	switch {
	case !ok:
		return false
	case t.Equals != nil:
		return slices.ContainsFunc(t.Equals, func(e any) bool { return fmt.Sprint(e) == strconv.FormatFloat(n, 'f', -1, 64) })
	}
	return (t.Min == nil || n >= *t.Min) && (t.Max == nil || n <= *t.Max)
}

func number(v drivers.Value) (float64, bool) {
	switch v.Kind() {
	case drivers.KindFloat:
		return v.Float(), true
	case drivers.KindInt:
		return float64(v.Int()), true
	}
	return 0, false
}

const traitScore = 10 // against one for each value that is plausible

// judge says whether the values of a device can be those of the profile, and what speaks for it.
func (p *Profile) judge(values []drivers.Value) (m Match, fits bool) {
	m.Profile = p.Name
	mains := slices.ContainsFunc(p.Registers, func(r Register) bool { return r.Unit == "Hz" })
	for _, v := range values {
		if i, err := strconv.Atoi(strings.TrimPrefix(v.Field, traitPrefix)); err == nil && strings.HasPrefix(v.Field, traitPrefix) {
			if !p.Identify[i].holds(v) {
				return m, false
			}
			m.Score += traitScore
			m.Evidence = append(m.Evidence, fmt.Sprintf("register %d is %v", p.Identify[i].Address, v.Any()))
			continue
		}
		if strings.HasPrefix(v.Reason(), "exception") { // it has not this register
			return m, false
		}
		n, ok := number(v)
		if !ok {
			continue
		}
		m.Fields++
		low, high, ok := plausible(v.Field, p.unit(v.Field), mains)
		switch {
		case !ok || n == 0: // a phase that is not connected, an inverter at night
		case n < low || n > high:
			return m, false
		default:
			m.Score++
			m.Evidence = append(m.Evidence, fmt.Sprintf("%s is %v", v.Field, v.Any()))
		}
	}
	return m, m.Score > 0
}

// plausible returns the range of a field that can hardly be anything else, if it is one of those.
func plausible(field, unit string, mains bool) (low, high float64, ok bool) {
	switch {
	case unit == "Hz":
		return 45, 65, true
	case unit == "V" && mains && (strings.HasPrefix(field, "voltage") || strings.HasPrefix(field, "phv")):
		return 80, 520, true
	case unit == "%RH":
		return 1, 100, true
	case unit == "Cel":
		return -40, 125, true
	}
	return 0, 0, false
}

func (p *Profile) unit(field string) string {
	i := slices.IndexFunc(p.Registers, func(r Register) bool { return r.Field == field })
	if i < 0 {
		return ""
	}
	return p.Registers[i].Unit
}

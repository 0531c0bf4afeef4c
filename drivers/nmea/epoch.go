package nmea

import (
	"strings"

	"github.com/adrianmo/go-nmea"

	"github.com/fieldgate/fieldgate/drivers"
)

// sentences is a set of types.
type sentences uint8

const (
	rmc sentences = 1 << iota
	gga
	gns
	gll
	vtg
	gsa
	zda

	positions = rmc | gga | gns | gll
)

// An optional is a number that a sentence may leave empty.
type optional nmea.Float64

func (o optional) value(field string) drivers.Value {
	if !o.Valid {
		return drivers.Bad(field, "not measured")
	}
	return drivers.Float(field, o.Value)
}

// An epoch is what a receiver says of one moment.
type epoch struct {
	has                 sentences
	time                nmea.Time
	date                nmea.Date
	void                bool // a sentence says that there is no fix
	quality             string
	dimensions          int // of the fix; 0 is unknown
	latitude, longitude optional
	altitude            optional
	speed, course       optional
	hdop                optional
	satellites          nmea.Int64
}

// read makes an epoch of one sentence without its checksum; false: it is of another type, or not
// well formed.
func (e *epoch) read(text string) bool {
	words := strings.Split(text[1:], ",")
	address := words[0]
	if len(address) != 5 || address[0] == nmea.ProprietarySentencePrefix {
		return false
	}
	p := nmea.NewParser(nmea.BaseSentence{Talker: address[:2], Type: address[2:], Fields: words[1:]})
	number := func(i int, name string) optional { return optional(p.NullFloat64(i, name)) }
	switch p.Type {
	case nmea.TypeRMC:
		e.has = rmc
		e.time, e.date = p.Time(0, "time"), p.Date(8, "date")
		e.void = p.EnumString(1, "status", nmea.ValidRMC, nmea.InvalidRMC) != nmea.ValidRMC
		e.latitude, e.longitude = angle(p, 2, latitudes), angle(p, 4, longitudes)
		e.speed, e.course = knots(p, 6), number(7, "course")
		if len(p.Fields) > 11 {
			e.mode(p.Fields[11])
		}
	case nmea.TypeGGA:
		e.has = gga
		e.time = p.Time(0, "time")
		e.latitude, e.longitude = angle(p, 1, latitudes), angle(p, 3, longitudes)
		e.quality = quality(p.String(5, "quality"))
		e.void = e.quality == "none"
		e.satellites, e.hdop, e.altitude = p.NullInt64(6, "satellites"), number(7, "hdop"), number(8, "altitude")
	case nmea.TypeGNS:
		e.has = gns
		e.time = p.Time(0, "time")
		e.latitude, e.longitude = angle(p, 1, latitudes), angle(p, 3, longitudes)
		e.mode(strings.Trim(p.String(5, "mode"), nmea.NoFixGNS)) // one letter for each system
		e.void = e.quality == ""
		e.satellites, e.hdop, e.altitude = p.NullInt64(6, "satellites"), number(7, "hdop"), number(8, "altitude")
	case nmea.TypeGLL:
		e.has = gll
		e.latitude, e.longitude = angle(p, 0, latitudes), angle(p, 2, longitudes)
		e.time = p.Time(4, "time")
		e.void = p.EnumString(5, "status", nmea.ValidGLL, nmea.InvalidGLL) != nmea.ValidGLL
	case nmea.TypeVTG:
		e.has = vtg
		e.course, e.speed = number(0, "course"), knots(p, 4)
	case nmea.TypeGSA:
		e.has = gsa
		switch p.String(1, "fix") { // of several systems, one may have none
		case nmea.Fix2D:
			e.dimensions = 2
		case nmea.Fix3D:
			e.dimensions = 3
		}
		e.hdop = number(15, "hdop")
	case nmea.TypeZDA:
		e.has = zda
		e.time = p.Time(0, "time")
		day, month, year := p.NullInt64(1, "day"), p.NullInt64(2, "month"), p.NullInt64(3, "year")
		e.date = nmea.Date{Valid: day.Valid && month.Valid && year.Valid, DD: int(day.Value), MM: int(month.Value), YY: int(year.Value)}
	default:
		return false
	}
	return p.Err() == nil
}

// angle reads ddmm.mmmm and its direction.
func angle(p *nmea.Parser, i int, limit float64) optional {
	number, direction := p.String(i, "angle"), p.String(i+1, "direction")
	if p.Err() != nil || number == "" {
		return optional{}
	}
	v, err := nmea.ParseGPS(number + " " + direction)
	if err != nil || !(v >= -limit && v <= limit) {
		p.SetErr("angle", number)
		return optional{}
	}
	// of minutes, of which 60 are a degree: three digits more keep them apart
	_, fraction, _ := strings.Cut(number, ".")
	return optional{Value: drivers.Round(v, len(fraction)+3), Valid: true}
}

// knots reads a speed. One in m/s needs two digits more to keep apart what knots do.
func knots(p *nmea.Parser, i int) optional {
	o := optional(p.NullFloat64(i, "speed"))
	_, fraction, _ := strings.Cut(p.String(i, "speed"), ".")
	o.Value = drivers.Round(o.Value*1852/3600, len(fraction)+2)
	return o
}

// quality returns the name of a GGA's quality.
func quality(digit string) string {
	switch digit {
	case nmea.GPS:
		return "gnss"
	case nmea.DGPS:
		return "dgnss"
	case nmea.PPS:
		return "pps"
	case nmea.RTK:
		return "rtk"
	case nmea.FRTK:
		return "rtk-float"
	case nmea.EST:
		return "estimated"
	case "7":
		return "manual"
	case "8":
		return "simulated"
	}
	return "none"
}

// mode takes in the first letter of an RMC's or GNS's mode.
func (e *epoch) mode(letters string) {
	if letters == "" {
		return
	}
	switch letters[:1] {
	case nmea.FAAModeDataNotValid:
		e.void = true
	case nmea.FAAModeAutonomous:
		e.quality = "gnss"
	case nmea.FAAModeDifferential:
		e.quality = "dgnss"
	case nmea.FAAModePrecise:
		e.quality = "pps"
	case nmea.FAAModeRTKInteger:
		e.quality = "rtk"
	case nmea.FAAModeRTKFloat:
		e.quality = "rtk-float"
	case nmea.FAAModeEstimated:
		e.quality = "estimated"
	case nmea.FAAModeManualInput:
		e.quality = "manual"
	case nmea.FAAModeSimulated:
		e.quality = "simulated"
	}
}

// endsBefore reports whether a sentence is of a later moment: it has another time or, without one,
// is there already.
func (e *epoch) endsBefore(next *epoch) bool {
	if e.time.Valid && next.time.Valid {
		return e.time != next.time
	}
	return e.has&next.has&positions != 0
}

// merge adds a sentence of the same moment. What is known already stays, but where and how well is
// known best by a GGA or GNS.
func (e *epoch) merge(next *epoch) {
	e.void = e.void || next.void
	e.dimensions = max(e.dimensions, next.dimensions)
	best := next.has&(gga|gns) != 0 && e.has&(gga|gns) == 0
	e.has |= next.has
	if !e.time.Valid {
		e.time = next.time
	}
	if !e.date.Valid {
		e.date = next.date
	}
	if best && next.latitude.Valid || !e.latitude.Valid || !e.longitude.Valid {
		e.latitude, e.longitude = next.latitude, next.longitude
	}
	for _, pair := range []struct {
		to   *optional
		from optional
	}{{&e.altitude, next.altitude}, {&e.speed, next.speed}, {&e.course, next.course}, {&e.hdop, next.hdop}} {
		if !pair.to.Valid {
			*pair.to = pair.from
		}
	}
	if !e.satellites.Valid {
		e.satellites = next.satellites
	}
	if best && next.quality != "" || e.quality == "" {
		e.quality = next.quality
	}
}

// fixed reports whether the position is one.
func (e *epoch) fixed() bool { return !e.void && e.latitude.Valid && e.longitude.Valid }

func (e *epoch) fix() string {
	switch {
	case !e.fixed():
		return "none"
	case e.quality == "":
		return "gnss"
	}
	return e.quality
}

func (e *epoch) altitudeValue(field string) drivers.Value {
	switch {
	case !e.fixed():
		return drivers.Bad(field, "no fix")
	case e.dimensions == 2:
		return drivers.Bad(field, "2d fix")
	}
	return e.altitude.value(field)
}

func (e *epoch) satellitesValue(field string) drivers.Value {
	if !e.satellites.Valid {
		return drivers.Bad(field, "not measured")
	}
	return drivers.Int(field, e.satellites.Value)
}

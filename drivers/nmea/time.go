package nmea

import (
	"fmt"
	"time"

	"github.com/adrianmo/go-nmea"

	"github.com/fieldgate/fieldgate/drivers"
)

// earliest is a time that had passed when this driver was written: a receiver that gives an earlier
// one does not know the date.
var earliest = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// timeValue returns the time of the fix. Without a fix a receiver gives that of its own clock,
// which may begin anywhere; with one it is still wrong by 1024 weeks in a receiver that is older
// than the last rollover of GPS's week number.
func (e *epoch) timeValue(field string, since time.Time) drivers.Value {
	bad := drivers.Bad(field, "not measured")
	d, t := e.date, e.time
	if !e.fixed() || !t.Valid || !d.Valid {
		return bad
	}
	leap := t.Hour == 23 && t.Minute == 59 && t.Second == 60
	at := time.Date(year(d), time.Month(d.MM), d.DD, t.Hour, t.Minute, t.Second, 0, time.UTC)
	if leap {
		at = at.Add(-time.Second)
	} else if at.Second() != t.Second {
		return bad
	}
	// A day or an hour that does not exist becomes another one.
	if at.Day() != d.DD || int(at.Month()) != d.MM || at.Hour() != t.Hour || at.Minute() != t.Minute || at.Before(since) || at.Year() > 9999 {
		return bad
	}
	return drivers.String(field, fmt.Sprintf("%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", at.Year(), d.MM, d.DD, t.Hour, t.Minute, t.Second, t.Millisecond))
}

// year returns the year of a date, of which an RMC has two digits and a ZDA four. GPS began in
// 1980.
func year(d nmea.Date) int {
	switch {
	case d.YY < 80:
		return 2000 + d.YY
	case d.YY < 100:
		return 1900 + d.YY
	}
	return d.YY
}

package page

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/health"
)

// Size of a sparkline in its own units, which the style sheet scales.
const (
	sparkWide  = 118
	sparkHigh  = 24
	sparkLeast = 10 // points that it has room for when the program is young
)

// A spark is the last hour of a field.
type spark struct {
	Label      string // for those who do not see it
	Line, Band string // points of the means, outline of the bounds
}

// sparkOf draws the last hour; nil if there are less than two points.
func sparkOf(list []point, f contract.Value) *spark {
	low, high, n, first := math.Inf(1), math.Inf(-1), 0, -1
	for i, p := range list {
		if !math.IsNaN(float64(p.low)) {
			low, high = min(low, float64(p.low)), max(high, float64(p.high))
			n++
			if first < 0 {
				first = i
			}
		}
	}
	if n < 2 {
		return nil
	}
	scale := high - low
	y := func(v float32) float64 {
		if scale == 0 {
			return sparkHigh / 2
		}
		return 1 + (high-float64(v))/scale*(sparkHigh-2)
	}
	begin := min(first, points-sparkLeast)
	x := func(i int) int { return (i - begin) * sparkWide / (points - 1 - begin) }
	line := make([]byte, 0, points*len("118,24.0 "))
	band := make([]byte, 0, 2*points*len("118,24.0 "))
	for i, p := range list {
		if math.IsNaN(float64(p.low)) {
			continue
		}
		line = appendPoint(line, x(i), y(p.low/2+p.high/2))
		band = appendPoint(band, x(i), y(p.high))
	}
	for i, p := range slices.Backward(list) { // back along the lower bounds
		if !math.IsNaN(float64(p.low)) {
			band = appendPoint(band, x(i), y(p.low))
		}
	}
	s := &spark{Line: string(line), Label: fmt.Sprintf("last %d minutes: from %s to %s", len(list)-first, inWords(low, f.Unit), inWords(high, f.Unit))}
	if scale > 0 {
		s.Band = string(band)
	}
	return s
}

// inWords writes a number with its unit.
func inWords(v float64, unit string) string {
	text, its := shown(v, unit)
	return strings.TrimSpace(text + " " + its)
}

func appendPoint(b []byte, x int, y float64) []byte {
	b = append(strconv.AppendInt(b, int64(x), 10), ',')
	return append(strconv.AppendFloat(b, y, 'f', 1, 64), ' ')
}

// A dayView is the last day of the link.
type dayView struct {
	Label string
	Bars  []bar
	Share string // of the time that is known, online or asleep in order
}

// A bar is neighbouring points of the same tone.
type bar struct {
	X, Wide int
	Tone    string
}

// dayOf draws the last day.
func dayOf(list []linkPoint) *dayView {
	d := &dayView{}
	var total linkPoint64
	for i, p := range list {
		for s := range p {
			total[s] += uint64(p[s])
		}
		tone := toneOfPoint(p)
		if n := len(d.Bars); n > 0 && d.Bars[n-1].Tone == tone {
			d.Bars[n-1].Wide++
			continue
		}
		d.Bars = append(d.Bars, bar{i, 1, tone})
	}
	known := total[online] + total[asleep] + total[offline]
	if known == 0 {
		d.Label, d.Share = "no connection was tried yet", "–"
		return d
	}
	d.Share = fmt.Sprintf("%.1f %%", float64(total[online]+total[asleep])*100/float64(known))
	d.Label = fmt.Sprintf("link of the last %s: online for %s, asleep for %s, offline for %s", health.Span(time.Duration(known)*time.Millisecond),
		milliseconds(total[online]), milliseconds(total[asleep]), milliseconds(total[offline]))
	return d
}

type linkPoint64 [linkStates]uint64

func milliseconds(n uint64) string { return health.Span(time.Duration(n) * time.Millisecond) }

// toneOfPoint shows what must not be overlooked: a moment offline colours its five minutes.
func toneOfPoint(p linkPoint) string {
	switch {
	case p[offline] > 0 && p[online]+p[asleep] > 0:
		return "warn"
	case p[offline] > 0:
		return "bad"
	case p[asleep] > p[online]:
		return "idle"
	case p[online] > 0:
		return "ok"
	}
	return "none"
}

// Package payload renders readings for the cloud. Each format is a folder below; this package holds
// what they share: the batch they render and the JSON of values. Which format is in use is the
// configuration's; the table of formats is package formats.
package payload

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/reading"
)

// A Batch is readings of one sensor from one run, oldest first.
type Batch struct {
	Gateway, Run, Sensor string
	Labels               []Label // by name
	Readings             []Reading
}

// A Label is one of those of a sensor.
type Label struct{ Name, Value string }

// A Reading is one reading to render.
type Reading struct {
	Seq  uint64
	Up   time.Duration // since power-up
	Time time.Time     // zero: not known; then Up is given
	Body []byte        // as package reading has it

	// Of a bucket, which stands for the readings from Seq to SeqTo: the last of them. Zero: it is a
	// reading.
	SeqTo  uint64
	UpTo   time.Duration
	TimeTo time.Time
}

// An Encoder renders batches, for one goroutine at a time.
type Encoder interface {
	// ContentType is the MQTT 5 Content Type.
	ContentType() string
	// BatchMax is how many readings fit into one message; 0: no limit of the format.
	BatchMax() int
	// NeedsTime reports whether a reading without a time cannot be rendered.
	NeedsTime() bool
	// Append appends the message of a batch to dst. A reading whose body is malformed is an error.
	Append(dst []byte, b *Batch) ([]byte, error)
}

// AppendIdentity appends the opening brace and whose readings the batch holds.
func AppendIdentity(dst []byte, b *Batch) []byte {
	dst = append(dst, `{"v":1,"gateway":`...)
	dst = AppendString(dst, b.Gateway)
	dst = append(dst, `,"run":`...)
	dst = AppendString(dst, b.Run)
	dst = append(dst, `,"sensor":`...)
	dst = AppendString(dst, b.Sensor)
	sep := `,"labels":{`
	for _, l := range b.Labels {
		dst = append(dst, sep...)
		dst = AppendString(dst, l.Name)
		dst = append(dst, ':')
		dst = AppendString(dst, l.Value)
		sep = ","
	}
	if len(b.Labels) > 0 {
		dst = append(dst, '}')
	}
	return dst
}

// Labels returns what Batch.Labels is to be for each sensor of a configuration.
func Labels(c *config.Config) map[string][]Label {
	labels := map[string][]Label{}
	for i := range c.Sensors {
		s := &c.Sensors[i]
		if !c.Telemetry.Labels {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
			labels[s.Name] = append(labels[s.Name], Label{name, s.Labels[name]})
		}
	}
	return labels
}

// AppendMoment appends "seq", and "seq_to" and "n" of a bucket, and "ts", or "up" if the time is
// not known, and "ts_to" or "up_to" of a bucket.
func AppendMoment(dst []byte, r *Reading) []byte {
	dst = append(dst, `"seq":`...)
	dst = strconv.AppendUint(dst, r.Seq, 10)
	if r.SeqTo > 0 {
		dst = append(dst, `,"seq_to":`...)
		dst = strconv.AppendUint(dst, r.SeqTo, 10)
		dst = append(dst, `,"n":`...)
		dst = strconv.AppendUint(dst, r.SeqTo-r.Seq+1, 10)
	}
	dst = appendTime(append(dst, ','), "", r.Time, r.Up)
	if r.SeqTo > 0 {
		dst = appendTime(append(dst, ','), "_to", r.TimeTo, r.UpTo)
	}
	return dst
}

func appendTime(dst []byte, suffix string, t time.Time, up time.Duration) []byte {
	dst = append(dst, `"ts`...)
	dst = append(dst, suffix...)
	if !t.IsZero() {
		dst = append(dst, `":"`...)
		dst = t.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
		return append(dst, '"')
	}
	dst = append(dst, `":null,"up`...)
	dst = append(dst, suffix...)
	dst = append(dst, `":`...)
	return strconv.AppendFloat(dst, up.Seconds(), 'f', 3, 64)
}

// AppendMember appends "field":value; a bad value is null, and the numbers of a bucket are
// {"mean":…,"min":…,"max":…}.
func AppendMember(dst []byte, a *reading.Aggregate, bucket bool) []byte {
	v := &a.Last
	dst = AppendString(dst, v.Field)
	dst = append(dst, ':')
	if bucket && a.N > 0 {
		dst = AppendFloat(append(dst, `{"mean":`...), drivers.RoundMean(a.Mean, a.Min, a.Max))
		dst = AppendFloat(append(dst, `,"min":`...), a.Min)
		dst = AppendFloat(append(dst, `,"max":`...), a.Max)
		return append(dst, '}')
	}
	switch v.Kind() {
	case drivers.KindFloat:
		return AppendFloat(dst, v.Float())
	case drivers.KindInt:
		return strconv.AppendInt(dst, v.Int(), 10)
	case drivers.KindBool:
		return strconv.AppendBool(dst, v.Bool())
	case drivers.KindString:
		return AppendString(dst, v.Text())
	}
	return append(dst, "null"...)
}

// AppendBad appends ,"bad":{…} with the reasons of the bad values, or nothing if there are none.
func AppendBad(dst []byte, fields []reading.Aggregate) []byte {
	sep := `,"bad":{`
	for i := range fields {
		v := &fields[i].Last
		if fields[i].N > 0 || v.Kind() != drivers.KindBad {
			continue
		}
		dst = append(dst, sep...)
		sep = ","
		dst = AppendString(dst, v.Field)
		dst = append(dst, ':')
		dst = AppendString(dst, v.Reason())
	}
	if sep == "," {
		dst = append(dst, '}')
	}
	return dst
}

// AppendFloat appends a finite number in the shortest form that reads back as the same float64.
func AppendFloat(dst []byte, f float64) []byte {
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}

// AppendString appends a JSON string. Bytes that are not UTF-8 become U+FFFD.
func AppendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(s[i:])
			dst = utf8.AppendRune(dst, r)
			i += n
			continue
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
		i++
	}
	return append(dst, '"')
}

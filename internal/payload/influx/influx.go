// Package influx is the format "influx": InfluxDB line protocol, one line for one reading.
//
//	hall-climate,gateway=gw1 temperature=21.5,door=false,seq=1042i,run="3f9c61a2b07d" 1795187045123001042
//
// The measurement is the sensor; the gateway and the labels are tags. Bad fields are left out. The
// numbers of a bucket are three fields each, and it has seq_to and n. The protocol has no null:
// without a time the receiver would take its own, so a reading without a time is not rendered.
//
// Receivers overwrite a line by another of the same measurement, tags and time, which makes a
// repetition harmless, but would lose one of two readings of the same millisecond. So the digits
// below it are the last six of seq.
package influx

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/payload"
	"github.com/fieldgate/fieldgate/internal/reading"
)

// Encoder implements payload.Encoder.
type Encoder struct {
	decoder reading.Decoder
	head    []byte // measurement and tags of the batch, with the blank behind them
	tail    []byte // the field run, with the blank behind it
}

// ContentType implements payload.Encoder.
func (*Encoder) ContentType() string { return "text/plain; charset=utf-8" }

// BatchMax implements payload.Encoder.
func (*Encoder) BatchMax() int { return 0 }

// NeedsTime implements payload.Encoder.
func (*Encoder) NeedsTime() bool { return true }

// Names returns what fields and labels cannot be called: what every line has, and "time", which
// InfluxDB takes for the line's.
func Names() *config.Names { return &config.Names{Own: own, Suffixes: suffixes[:]} }

var (
	own      = []string{"gateway", "n", "run", "seq", "seq_to", "time"}
	suffixes = [...]string{"_mean", "_min", "_max"}
)

// perMilli is how many nanoseconds a millisecond has, to which readings are dated.
const perMilli = 1_000_000

var errNoTime = errors.New("line protocol cannot carry a reading without a time")

// Append implements payload.Encoder.
func (e *Encoder) Append(dst []byte, b *payload.Batch) ([]byte, error) {
	e.head = appendEscaped(e.head[:0], b.Sensor, ", ")
	gateway := false
	for _, l := range b.Labels {
		if !gateway && l.Name > "gateway" {
			e.head, gateway = appendTag(e.head, "gateway", b.Gateway), true
		}
		e.head = appendTag(e.head, l.Name, l.Value)
	}
	if !gateway {
		e.head = appendTag(e.head, "gateway", b.Gateway)
	}
	e.head = append(e.head, ' ')
	e.tail = append(appendText(append(e.tail[:0], `,run=`...), b.Run), ' ')
	var stack [16]reading.Aggregate
	for i := range b.Readings {
		r := &b.Readings[i]
		values, err := e.decoder.DecodeBucket(stack[:0], r.Body)
		if err == nil && r.Time.IsZero() {
			err = errNoTime
		}
		if err != nil {
			return dst, fmt.Errorf("reading %d of %s: %w", r.Seq, b.Sensor, err)
		}
		if i > 0 {
			dst = append(dst, '\n')
		}
		dst = append(dst, e.head...)
		for j := range values {
			dst = appendField(dst, &values[j], r.SeqTo > 0)
		}
		dst = strconv.AppendUint(append(dst, "seq="...), r.Seq, 10)
		if r.SeqTo > 0 {
			dst = strconv.AppendUint(append(dst, "i,seq_to="...), r.SeqTo, 10)
			dst = strconv.AppendUint(append(dst, "i,n="...), r.SeqTo-r.Seq+1, 10)
		}
		dst = append(append(dst, 'i'), e.tail...)
		dst = strconv.AppendInt(dst, r.Time.UnixMilli()*perMilli+int64(r.Seq%perMilli), 10)
	}
	return dst, nil
}

// appendField appends a field with a comma behind it; nothing if its value is bad.
func appendField(dst []byte, a *reading.Aggregate, bucket bool) []byte {
	v := &a.Last
	if bucket && a.N > 0 {
		for i, f := range [...]float64{drivers.RoundMean(a.Mean, a.Min, a.Max), a.Min, a.Max} {
			dst = append(append(append(dst, v.Field...), suffixes[i]...), '=')
			dst = append(payload.AppendFloat(dst, f), ',')
		}
		return dst
	}
	if v.Kind() == drivers.KindBad {
		return dst
	}
	dst = append(dst, v.Field...)
	if slices.Contains(own, v.Field) {
		dst = append(dst, '_') // stored before the configuration named this format, with which it is refused
	}
	dst = append(dst, '=')
	switch v.Kind() {
	case drivers.KindFloat:
		dst = payload.AppendFloat(dst, v.Float())
	case drivers.KindInt:
		dst = append(strconv.AppendInt(dst, v.Int(), 10), 'i')
	case drivers.KindBool:
		dst = strconv.AppendBool(dst, v.Bool())
	case drivers.KindString:
		dst = appendText(dst, v.Text())
	}
	return append(dst, ',')
}

func appendTag(dst []byte, name, value string) []byte {
	dst = appendEscaped(append(dst, ','), name, ",= ")
	return appendEscaped(append(dst, '='), value, ",= ")
}

// appendEscaped appends a name with a backslash before each of these characters.
func appendEscaped(dst []byte, s, these string) []byte {
	for i := range len(s) {
		for j := range len(these) {
			if s[i] == these[j] {
				dst = append(dst, '\\')
			}
		}
		dst = append(dst, s[i])
	}
	return dst
}

// appendText appends a text in quotes. A line break in it stays one. Bytes that are not UTF-8
// become U+FFFD.
func appendText(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		if r == '"' || r == '\\' {
			dst = append(dst, '\\')
		}
		dst = utf8.AppendRune(dst, r)
	}
	return append(dst, '"')
}

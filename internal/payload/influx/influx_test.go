package influx_test

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/payload"
	"github.com/fieldgate/fieldgate/internal/payload/influx"
	"github.com/fieldgate/fieldgate/internal/reading"
)

const run = "3f9c61a2b07d"

var at = time.Date(2026, 11, 20, 15, 4, 5, 123456789, time.UTC)

// one returns a batch of one reading.
func one(values ...drivers.Value) *payload.Batch {
	return &payload.Batch{Gateway: "gw1", Run: run, Sensor: "hall", Readings: []payload.Reading{{Seq: 7, Time: at, Body: reading.Append(nil, values)}}}
}

func encode(t testing.TB, b *payload.Batch) string {
	t.Helper()
	text, err := new(influx.Encoder).Append(nil, b)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A point is a line as InfluxData's own parser reads it.
type point struct {
	measurement string
	tags        map[string]string
	fields      map[string]any
	at          time.Time
}

func decode(t testing.TB, text string) (points []point) {
	t.Helper()
	d := lineprotocol.NewDecoderWithBytes([]byte(text))
	for d.Next() {
		p := point{tags: map[string]string{}, fields: map[string]any{}}
		m, err := d.Measurement()
		p.measurement = string(m)
		for err == nil {
			var k, v []byte
			if k, v, err = d.NextTag(); k == nil {
				break
			}
			p.tags[string(k)] = string(v)
		}
		for err == nil {
			var k []byte
			var v lineprotocol.Value
			if k, v, err = d.NextField(); k == nil {
				break
			}
			if _, twice := p.fields[string(k)]; twice {
				t.Errorf("field %s twice in %s", k, text)
			}
			p.fields[string(k)] = v.Interface()
		}
		if err == nil {
			p.at, err = d.Time(lineprotocol.Nanosecond, time.Time{})
		}
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		points = append(points, p)
	}
	return points
}

// TestLines holds the exact text of every kind of value and of what has to be escaped.
func TestLines(t *testing.T) {
	const end = `seq=7i,run="` + run + `" 1795187045123000007`
	labelled := one(drivers.Float("t", 1))
	labelled.Labels = []payload.Label{{Name: "area", Value: "1, a=b c"}, {Name: "site", Value: `"x\y" ä`}}
	odd := one(drivers.Float("t", 1))
	odd.Sensor, odd.Gateway = `a b,c=d"e`, `g w,1=2`
	for _, tt := range []struct {
		name  string
		batch *payload.Batch
		want  string
	}{
		{"float", one(drivers.Float("t", 21.5)), "hall,gateway=gw1 t=21.5," + end},
		{"whole float", one(drivers.Float("t", 21)), "hall,gateway=gw1 t=21," + end},
		{"small and great floats", one(drivers.Float("a", -3.25e-7), drivers.Float("b", 1e300)), "hall,gateway=gw1 a=-3.25e-07,b=1e+300," + end},
		{"not a number", one(drivers.Float("a", math.NaN()), drivers.Float("b", math.Inf(1))), "hall,gateway=gw1 " + end},
		{"int", one(drivers.Int("n_rows", math.MinInt64)), "hall,gateway=gw1 n_rows=-9223372036854775808i," + end},
		{"bool", one(drivers.Bool("open", true), drivers.Bool("shut", false)), "hall,gateway=gw1 open=true,shut=false," + end},
		{"text", one(drivers.String("mode", "eco")), `hall,gateway=gw1 mode="eco",` + end},
		{"empty text", one(drivers.String("mode", "")), `hall,gateway=gw1 mode="",` + end},
		{"text with everything", one(drivers.String("mode", "a,b c=d\"e\\f\ng#h\t\xff\\")), "hall,gateway=gw1 mode=\"a,b c=d\\\"e\\\\f\ng#h\t\uFFFD\\\\\"," + end},
		{"bad fields are left out", one(drivers.Float("t", 1), drivers.Bad("humidity", "crc")), "hall,gateway=gw1 t=1," + end},
		{"all are bad", one(drivers.Bad("humidity", "crc")), "hall,gateway=gw1 " + end},
		{"no field", one(), "hall,gateway=gw1 " + end},
		{"names of the line's own", one(drivers.Int("seq", 1), drivers.String("run", "x"), drivers.Float("time", 2)), `hall,gateway=gw1 seq_=1i,run_="x",time_=2,` + end},
		{"labels", labelled, `hall,area=1\,\ a\=b\ c,gateway=gw1,site="x\y"\ ä t=1,` + end},
		{"odd names", odd, `a\ b\,c=d"e,gateway=g\ w\,1\=2 t=1,` + end},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := encode(t, tt.batch)
			if got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
			points := decode(t, got)
			if len(points) != 1 {
				t.Fatalf("%d points in %s", len(points), got)
			}
			p, b := points[0], tt.batch
			if p.measurement != b.Sensor || p.tags["gateway"] != b.Gateway || len(p.tags) != 1+len(b.Labels) || !p.at.Equal(at.Truncate(time.Millisecond).Add(7)) ||
				p.fields["seq"] != int64(7) || p.fields["run"] != run {
				t.Errorf("another parser reads %+v", p)
			}
			for _, l := range b.Labels {
				if p.tags[l.Name] != l.Value {
					t.Errorf("label %s: %q", l.Name, p.tags[l.Name])
				}
			}
		})
	}
}

// TestBatch: a line for each reading, in their order, buckets among them.
func TestBatch(t *testing.T) {
	b := one(drivers.Float("t", 21.5))
	bucket := reading.AppendBucket(nil, []reading.Aggregate{{Last: drivers.Value{Field: "t"}, N: 3, Mean: 21.5, Min: 20, Max: 23},
		{Last: drivers.Bool("open", true)}, {Last: drivers.Bad("humidity", "crc")}})
	b.Readings = append(b.Readings, payload.Reading{Seq: 8, SeqTo: 10, Time: at.Add(time.Second), TimeTo: at.Add(3 * time.Second), Body: bucket})
	got := encode(t, b)
	want := "hall,gateway=gw1 t=21.5,seq=7i,run=\"" + run + "\" 1795187045123000007\n" +
		"hall,gateway=gw1 t_mean=21.5,t_min=20,t_max=23,open=true,seq=8i,seq_to=10i,n=3i,run=\"" + run + "\" 1795187046123000008"
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if points := decode(t, got); len(points) != 2 || points[1].fields["t_mean"] != 21.5 || points[1].fields["n"] != int64(3) {
		t.Errorf("another parser reads %+v", points)
	}
}

// TestSameMillisecond: readings of one millisecond do not overwrite each other at the receiver, and
// are still of that millisecond.
func TestSameMillisecond(t *testing.T) {
	b := one()
	for i := range uint64(5) {
		r := b.Readings[0]
		r.Seq = 999_998 + i
		b.Readings = append(b.Readings, r)
	}
	seen := map[time.Time]bool{}
	for _, p := range decode(t, encode(t, b)) {
		if seen[p.at] || !p.at.Truncate(time.Millisecond).Equal(at.Truncate(time.Millisecond)) {
			t.Errorf("%v of %v", p.at, p.fields["seq"])
		}
		seen[p.at] = true
	}
}

// TestNoTime: the receiver must not give a reading its own time.
func TestNoTime(t *testing.T) {
	b := one(drivers.Float("t", 1))
	b.Readings[0].Time = time.Time{}
	if text, err := new(influx.Encoder).Append(nil, b); err == nil || !strings.Contains(err.Error(), "reading 7 of hall") {
		t.Errorf("%s, %v", text, err)
	}
}

// FuzzText: whatever a text holds, the line is one point with the text, as another parser reads it.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", `"`, `\`, "\\\"", "\n", "a\nb,c=1 2", "#", "\x00", "\xff", "\r\n", `\n`, strings.Repeat(`\`, 7)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		points := decode(t, encode(t, one(drivers.String("text", s), drivers.Float("t", 1))))
		if want := string(bytes.ToValidUTF8([]byte(s), []byte("\uFFFD"))); len(points) != 1 || strings.Count(want, "\uFFFD") == 0 && points[0].fields["text"] != want || points[0].fields["t"] != 1.0 {
			t.Errorf("%q: %+v", s, points)
		}
	})
}

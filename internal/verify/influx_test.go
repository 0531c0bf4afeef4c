package verify

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/payload"
	"github.com/fieldgate/fieldgate/internal/payload/influx"
	"github.com/fieldgate/fieldgate/internal/reading"
)

// lines returns telemetry of the format influx, with a text that looks like the rest of a line.
func lines(t *testing.T, run string, readings ...payload.Reading) string {
	t.Helper()
	for i := range readings {
		readings[i].Time = time.Unix(1_795_000_000+int64(readings[i].Seq), 0)
		readings[i].Body = reading.Append(nil, []drivers.Value{drivers.String("a", "x\" 1\ny,gateway=z seq=9i,run=\"q\" 7\\"), drivers.Float("t", 1)})
	}
	text, err := new(influx.Encoder).Append(nil, &payload.Batch{Gateway: "g w", Run: run, Sensor: "s", Readings: readings,
		Labels: []payload.Label{{Name: "area", Value: "\"1, a=b"}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestLineProtocolIsProven: live and late, from a broker and from files, holes and buckets as with
// JSON.
func TestLineProtocolIsProven(t *testing.T) {
	const topic = "fieldgate/g w/telemetry/s"
	one := func(n uint64) payload.Reading { return payload.Reading{Seq: n} }
	boot := `{"v":1,"gateway":"g w","run":"r1","n":1,"ts":null,"up":1,"version":"t"}`
	next := `{"v":1,"gateway":"g w","run":"r2","n":1,"ts":null,"up":1,"version":"t","previous":{"run":"r1","gateway":"g w","end":"clean","last":{"s":6},"events":1}}`
	for _, tt := range []struct {
		name    string
		live    []payload.Reading
		missing uint64
		verdict string
	}{
		{"all", []payload.Reading{one(1), one(2), {Seq: 3, SeqTo: 5}, one(6)}, 0, Complete},
		{"a hole", []payload.Reading{one(1), {Seq: 3, SeqTo: 5}, one(6)}, 1, Incomplete},
	} {
		messages := [][2]string{{"fieldgate/g w/events/boot", boot}, {topic, lines(t, "r1", tt.live[:1]...)}, {topic + "/late", lines(t, "r1", tt.live[1:]...)}, {"fieldgate/g w/events/boot", next}}
		broker, files, bare := New(), New(), New()
		var file strings.Builder
		for _, m := range messages {
			if err := broker.Message(m[0], []byte(m[1])); err != nil {
				t.Fatal(err)
			}
			text, _ := json.Marshal(map[string]string{"topic": m[0], "payload": m[1]})
			fmt.Fprintf(&file, "%s\n", text)
			if strings.HasPrefix(m[1], "{") { // what was received without topics
				if err := bare.Lines(strings.NewReader(m[1]), "f"); err != nil {
					t.Fatal(err)
				}
			} else if err := bare.line([]byte(m[1])); err != nil {
				t.Fatal(err)
			}
		}
		if err := files.Lines(strings.NewReader(file.String()), "f"); err != nil {
			t.Fatal(err)
		}
		for name, tracker := range map[string]*Tracker{"broker": broker, "files": files, "bare": bare} {
			r := tracker.Report()
			missing := uint64(0)
			for _, s := range r.Sequences {
				missing += size(s.Missing)
			}
			if r.Verdict != tt.verdict || missing != tt.missing {
				t.Errorf("%s, %s: %s, %d missing: %+v", tt.name, name, r.Verdict, missing, r)
			}
		}
	}
}

// TestNotLineProtocol: what cannot be read is an error, and changes nothing.
func TestNotLineProtocol(t *testing.T) {
	for _, text := range []string{"x", "s,gateway=g", "s,gateway=g seq=1i,run=\"r\"", "s,gateway=g seq=1i,run=\"r\" x", "s,gateway=g t=1 5", "s,gateway=g seq=-1i,run=\"r\" 5",
		"s,gateway=g seq=1i,run=\"r 5", "s,gateway=g seq=1i,run=\"r\" 5\nt,gateway=g seq=1i,run=\"r\" 5", `[]`, "\x1f\x8b", "s", ",", "\n", `s seq=1i,run="\`} {
		tracker := New()
		if err := tracker.Message("fieldgate/g/telemetry/s", []byte(text)); err == nil || len(tracker.runs) > 0 {
			t.Errorf("%q: %v, %d runs", text, err, len(tracker.runs))
		}
	}
}

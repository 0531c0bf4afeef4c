package uplink

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/internal/payload/influx"
)

// TestReadingsWithoutATime: with a format that needs the time, readings of the running kernel wait
// for it. Those of an earlier one whose time was never learned keep nothing waiting: they go to a
// topic of their own, in JSON, each once, in messages cut as all others.
func TestReadingsWithoutATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 3000
		lines := func(c *Config) { c.Encoder = new(influx.Encoder) }
		r := newRig(t, nil)
		r.clock.unknown = map[string]bool{"k1": true}
		for _, r.kernel = range []string{"k0", "k1", "k2"} {
			r.plenty(lines)
			r.measure("a", n)
			r.measure("b", n)
		}
		r.clock.pending = true
		r.uplink.SetLink(Link{Up: true, Window: 20})
		time.Sleep(time.Hour)
		if flights := r.settled(); len(flights) > 0 {
			t.Fatalf("%d messages went before the time was known: %s", len(flights), show(flights))
		}
		r.clock.pending = false
		r.uplink.Wake()
		r.measure("a", 10) // live
		arrived := map[string]map[string]int{}
		tooLarge := true
		for flights := r.settled(); len(flights) > 0; flights = r.settled() {
			for _, f := range flights {
				if tooLarge && strings.HasSuffix(f.Topic, "/undated") { // once: it is halved
					tooLarge = false
					f.done(codeTooLarge, nil)
					continue
				}
				for _, id := range readingsOf(t, f) {
					if arrived[f.Topic] == nil {
						arrived[f.Topic] = map[string]int{}
					}
					arrived[f.Topic][id]++
				}
				f.done(0, nil)
			}
		}
		for topic, want := range map[string]int{"a": 10, "a/late": 2 * n, "b/late": 2 * n, "a/undated": n, "b/undated": n} {
			got := arrived["fieldgate/g/telemetry/"+topic]
			if len(got) != want {
				t.Errorf("%s: %d readings, want %d", topic, len(got), want)
			}
			for id, times := range got {
				if times != 1 {
					t.Errorf("%s: %s came %d times", topic, id, times)
				}
			}
		}
		if left := r.close(); left != 0 {
			t.Errorf("%d records are left", left)
		}
	})
}

// readingsOf returns the readings of a message as run and seq, and checks its form: JSON without
// times on the topic of those without, and lines elsewhere.
func readingsOf(t *testing.T, f flight) (ids []string) {
	t.Helper()
	if !strings.HasSuffix(f.Topic, "/undated") {
		if f.ContentType != new(influx.Encoder).ContentType() {
			t.Errorf("%s has %s", f.Topic, f.ContentType)
		}
		for line := range strings.SplitSeq(strings.TrimSpace(string(f.Payload)), "\n") {
			_, rest, _ := strings.Cut(line, "seq=")
			id, _, _ := strings.Cut(rest, " ")
			ids = append(ids, id)
		}
		return ids
	}
	var m struct {
		Run      string
		Readings []struct {
			Seq json.Number
			TS  *time.Time
			Up  *float64
		}
	}
	if err := json.Unmarshal(f.Payload, &m); err != nil || f.ContentType != "application/json" {
		t.Fatalf("%s has %s: %v: %.200s", f.Topic, f.ContentType, err, f.Payload)
	}
	for _, x := range m.Readings {
		if x.TS != nil || x.Up == nil {
			t.Errorf("a reading of a power-up without a time: %+v", x)
		}
		ids = append(ids, m.Run+" "+x.Seq.String())
	}
	return ids
}

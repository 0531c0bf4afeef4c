package verify

import (
	"fmt"
	"strings"
	"testing"
)

func booted(run int, previous string) [2]string {
	return [2]string{"fieldgate/g/events/boot", fmt.Sprintf(`{"v":1,"gateway":"g","run":"r%d","n":1,"ts":null,"up":1,"version":"t"%s}`, run, previous)}
}

func ended(run int, end string, last int) string {
	return fmt.Sprintf(`,"previous":{"run":"r%d","gateway":"g","end":%q,"last":{"s":%d},"events":1}`, run, end, last)
}

func sent(run int, late bool, seqs ...int) [2]string {
	topic, payload := readings(run, late, seqs...)
	return [2]string{topic, payload}
}

func event(run, n int, fields string) [2]string {
	return [2]string{"fieldgate/g/events/sensor", fmt.Sprintf(`{"v":1,"gateway":"g","run":"r%d","n":%d,"ts":null,"up":1%s}`, run, n, fields)}
}

// at is a reading with a time.
func at(run int, clock string, seq int) [2]string {
	return [2]string{"p/g/telemetry/s", fmt.Sprintf(`{"gateway":"g","run":"r%d","sensor":"s","readings":[{"seq":%d,"ts":"2026-11-21T%s.000Z"}]}`, run, seq, clock)}
}

// TestReport plays histories, as who listened from the beginning or later, and checks the verdict
// and what is complained of.
func TestReport(t *testing.T) {
	for _, tt := range []struct {
		name     string
		partial  bool
		messages [][2]string
		want     string // the verdict and the complaints, shortened
	}{
		{"nothing", false, nil, "nothing"},
		{"from the middle", true, [][2]string{sent(1, false, 150, 151, 153)}, "incomplete; g s 1 152"},
		{"the beginning is expected", false, [][2]string{sent(1, false, 3, 4)}, "incomplete; g s 1 1 to 2; events 1 1"},
		{"a run under way, an unclean end, the next from the beginning", true,
			[][2]string{sent(1, false, 150, 151), booted(2, ended(1, "unclean", 0)), sent(2, false, 2)}, "incomplete; g s 2 1"},
		{"events of the run under way, sent again by the next", true,
			[][2]string{sent(1, false, 150, 151), booted(1, ""), booted(2, ended(1, "unclean", 0)), sent(2, false, 1)}, "complete"},
		{"only the next run is heard, and events of the one before", true,
			[][2]string{booted(1, ""), booted(2, ended(1, "clean", 90)), sent(2, false, 1)}, "complete"},
		{"late readings of the run before", true,
			[][2]string{booted(1, ""), booted(2, ended(1, "clean", 90)), sent(1, true, 80, 81, 83), sent(2, false, 1)}, "incomplete; g s 1 82; g s 1 84 to 90"},
		{"what was not durable", false,
			[][2]string{booted(1, ""), sent(1, false, 1, 2, 5), booted(2, ended(1, "unclean", 3)), sent(2, false, 1)}, "incomplete; g s 1 3"},
		{"only what was not durable", false,
			[][2]string{booted(1, ""), sent(1, false, 1, 2, 3, 5), booted(2, ended(1, "unclean", 3)), sent(2, false, 1)}, "complete"},
		{"an end that nobody told", false, [][2]string{booted(1, ""), sent(1, false, 1), sent(2, false, 1)}, "incomplete; untold 1; events 2 1"},
		{"an event is missing", false, [][2]string{booted(1, ""), sent(1, false, 1), event(1, 3, "")}, "incomplete; events 1 2"},
		{"a damaged store", false, [][2]string{booted(1, ""), sent(1, false, 1),
			event(1, 2, `,"loss":[{"run":"","sensor":"","first":0,"last":0,"count":0,"reason":"corrupt"}]`)}, "incomplete; unknown 1"},
		{"a hole long before the crash", false, [][2]string{
			{"p/g/events/boot", `{"gateway":"g","run":"r1","n":1,"version":"t","max_loss":1}`},
			at(1, "15:00:00", 1), at(1, "15:00:20", 5), at(1, "15:01:00", 6), at(1, "15:01:01", 9),
			{"p/g/events/boot", `{"gateway":"g","run":"r2","n":1,"version":"t","max_loss":1,"previous":{"run":"r1","end":"unclean","last":{}}}`}},
			"incomplete; g s 1 2 to 4"},
		{"a clean end told, then an unclean one", false, [][2]string{booted(1, ""), sent(1, false, 1, 2), booted(2, ended(1, "clean", 4)),
			event(2, 2, `,"version":"t"`+ended(1, "unclean", 0))}, "incomplete; g s 1 3 to 4"},
		{"a ledger entry that counts less than its range", false, [][2]string{booted(1, ""), sent(1, false, 1, 10),
			event(1, 2, `,"loss":[{"run":"r1","sensor":"s","first":2,"last":9,"count":3,"reason":"evicted"}]`),
			event(1, 3, `,"loss":[{"run":"r1","sensor":"s","first":2,"last":9,"count":3,"reason":"evicted"}]`)}, "incomplete; g s 1 5 to 9"},
		{"a ledger entry that counts nothing", false, [][2]string{booted(1, ""), sent(1, false, 1, 10),
			event(1, 2, `,"loss":[{"run":"r1","sensor":"s","first":2,"last":9,"count":0,"reason":"corrupt"}]`)}, "incomplete; unknown 1"},
		{"a store that was taken away", false, [][2]string{booted(1, ""), sent(1, false, 1),
			{"p/g/events/boot", `{"gateway":"g","run":"r2","n":1,"version":"t"}`}}, "incomplete; untold 1"},
		{"a history that begins later", false, [][2]string{booted(7, ended(6, "clean", 0)), sent(7, false, 1)}, "incomplete; events 6 1"},
		{"OK a loss event in two parts", false, [][2]string{booted(1, ""), sent(1, false, 1, 4),
			event(1, 2, `,"loss":[{"run":"r1","sensor":"s","first":2,"last":2,"count":1,"reason":"evicted"}]`),
			event(1, 2, `,"loss":[{"run":"r1","sensor":"s","first":3,"last":3,"count":1,"reason":"evicted"}]`)}, "complete"},
		{"an event is missing at the end", false, [][2]string{booted(1, ""), sent(1, false, 1),
			{"p/g/events/boot", `{"gateway":"g","run":"r2","n":1,"version":"t","previous":{"run":"r1","gateway":"g","end":"clean","last":{"s":1},"events":3}}`}},
			"incomplete; events 1 2 to 3"},
		{"a start that ended before its boot event was durable", false, [][2]string{booted(1, ""), sent(1, false, 1), booted(2, ended(1, "clean", 1)),
			{"p/g/events/boot", `{"gateway":"g","run":"r4","n":1,"version":"t","previous":{"run":"r3","gateway":"g","end":"unclean","last":{},"events":0}}`},
			{"p/g/events/boot", `{"gateway":"g","run":"r3","n":1,"version":"t","previous":{"run":"r2","gateway":"g","end":"clean","last":{},"events":1}}`}}, "complete"},
		{"an older copy was restored", false, [][2]string{booted(1, ""), sent(1, false, 1), booted(2, ended(1, "clean", 1)), sent(2, false, 1),
			booted(3, ended(1, "clean", 1)), sent(3, false, 1)}, "incomplete; copies 1 [r2 r3]; untold 2"},
		{"an older copy was restored while somebody listened", true, [][2]string{sent(5, false, 9), booted(6, ended(1, "clean", 1)), sent(6, false, 1)},
			"incomplete; untold 5"},
		{"OK a store with a backlog of many runs", true, [][2]string{sent(3, true, 7, 8), sent(4, true, 1), sent(5, false, 9)}, "complete"},
		{"OK a card that was cloned", false, [][2]string{booted(1, ""), sent(1, false, 1), booted(2, ended(1, "clean", 1)), sent(2, false, 1),
			{"p/h/events/boot", `{"gateway":"h","run":"r3","n":1,"version":"t"` + ended(1, "clean", 1) + `}`}}, "complete"},
		{"OK a gateway that was renamed", false, [][2]string{booted(1, ""), sent(1, false, 1),
			{"p/h/events/boot", `{"gateway":"h","run":"r2","n":1,"version":"t"` + ended(1, "clean", 2) + `}`}, sent(1, true, 2)}, "complete"},
		{"one number with two times", false, [][2]string{booted(1, ""), at(1, "15:00:00", 1), at(1, "15:00:01", 2), at(1, "15:00:02", 3), at(1, "15:05:00", 2)},
			"incomplete; reused 1"},
		{"OK a reading that comes again", false, [][2]string{booted(1, ""), at(1, "15:00:00", 1), at(1, "15:00:01", 2), at(1, "15:00:00", 1), at(1, "15:00:01", 2)}, "complete"},
		{"a gateway that was lost", true, [][2]string{sent(1, false, 9), {"p/g/status", `{"v":1,"state":"lost","since":null,"run":"r1"}`}}, "incomplete; silent g"},
		{"OK a gateway that was lost and is back", true, [][2]string{sent(1, false, 9), {"p/g/status", `{"v":1,"state":"lost","since":null,"run":"r1"}`},
			{"p/g/status", `{"v":1,"state":"online","since":null,"run":"r1"}`}}, "complete"},
		{"OK a gateway that was lost long ago", true, [][2]string{sent(1, false, 9), {"p/h/status", `{"v":1,"state":"lost","since":null,"run":"r7"}`}}, "complete"},
		{"a gateway that is there and sends nothing else", false, [][2]string{{"p/g/status", `{"v":1,"state":"online","since":null,"run":"r1"}`}, sent(2, false, 1), event(2, 1, "")},
			"incomplete; events 1 1; untold 1"},
		{"means of several", false, [][2]string{booted(1, ""), {"p/g/telemetry/s/late",
			`{"gateway":"g","run":"r1","sensor":"s","readings":[{"seq":1,"seq_to":60,"n":60},{"seq":61,"seq_to":120,"n":60}]}`}}, "complete"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr := New()
			tr.Partial = tt.partial
			for _, m := range tt.messages {
				if err := tr.Message(m[0], []byte(m[1])); err != nil {
					t.Fatal(err)
				}
			}
			r := tr.Report()
			got := []string{r.Verdict}
			for _, s := range r.Sequences {
				if s.Reused > 0 {
					got = append(got, fmt.Sprint("reused ", s.Reused))
				}
				for _, m := range s.Missing {
					got = append(got, fmt.Sprint(s.Gateway, " ", s.Sensor, " ", s.Run[1:], " ", m))
				}
			}
			for _, g := range r.Gaps {
				for _, e := range g.Events {
					got = append(got, fmt.Sprint("events ", g.Run[1:], " ", e))
				}
				if g.Unreported {
					got = append(got, fmt.Sprint("untold ", g.Run[1:]))
				}
				if g.Copies != nil {
					got = append(got, fmt.Sprint("copies ", g.Run[1:], " ", g.Copies))
				}
				if g.Unknown > 0 {
					got = append(got, fmt.Sprint("unknown ", g.Run[1:]))
				}
			}
			for _, s := range r.Silent {
				got = append(got, "silent "+s.Gateway)
			}
			if text := strings.Join(got, "; "); text != tt.want {
				t.Errorf("want %s\n got %s", tt.want, text)
			}
			var b strings.Builder
			if err := r.Print(&b); err != nil || !strings.Contains(b.String(), strings.ToUpper(r.Verdict)+":") {
				t.Errorf("printed %q, %v", b.String(), err)
			}
		})
	}
}

// TestLines reads the same history in all forms that a line may have.
func TestLines(t *testing.T) {
	document := `{"v":1,"gateway":"g","run":"r1","sensor":"s","readings":[{"seq":%d,"ts":null,"up":1,"fields":{}}]}`
	lines := []string{
		fmt.Sprintf(document, 1),
		`{"topic":"fieldgate/g/telemetry/s","payload":` + fmt.Sprintf(document, 2) + `}`,
		fmt.Sprintf(`{"tst":"now","topic":"fieldgate/g/telemetry/s","qos":1,"payload":%q}`, fmt.Sprintf(document, 3)),
		`{"gateway":"g","run":"r1","sensor":"s","seq":4,"ts":null,"up":1,"t":1}`,
		"",
		`{"topic":"fieldgate/g/last/s","payload":""}`,
		`{"topic":"fieldgate/g/telemetry/s","payload":""}`,
		`{"v":1,"gateway":"g","run":"r1","n":1,"ts":null,"up":1,"version":"t"}`,
		`{"v":1,"gateway":"g","run":"r1","n":2,"ts":null,"up":1,"loss":[{"run":"r1","sensor":"s","first":5,"last":6,"count":2,"reason":"evicted"}]}`,
		fmt.Sprintf(document, 7),
	}
	tr := New()
	if err := tr.Lines(strings.NewReader(strings.Join(lines, "\n")), "f"); err != nil {
		t.Fatal(err)
	}
	if r := tr.Report(); r.Verdict != Complete || r.Sequences[0].Received != 5 || r.Sequences[0].Lost != 2 {
		t.Errorf("%+v", r)
	}
	for _, bad := range []string{"[", `{"topic":"p/g/telemetry/s","payload":{"readings":[{}]}}`, `{"n":"x"}`} {
		tr := New()
		err := tr.Lines(strings.NewReader("\n"+bad+"\n"+lines[0]+"\n"), "f")
		r := tr.Report()
		if err != nil || r.Verdict != Incomplete || r.Unread != 1 || !strings.HasPrefix(r.Errors[0], "f:2: ") || len(r.Sequences) != 1 {
			t.Errorf("%s: %v, %+v", bad, err, r)
		}
	}
}

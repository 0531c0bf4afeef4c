package verify

import (
	"fmt"
	"strings"
	"testing"
)

func booted(boot int, previous string) [2]string {
	return [2]string{"fieldgate/g/events/boot", fmt.Sprintf(`{"v":1,"gateway":"g","store":"x","boot":%d,"n":1,"ts":null,"up":1,"version":"t"%s}`, boot, previous)}
}

func ended(boot int, end string, last int) string {
	return fmt.Sprintf(`,"previous":{"store":"x","boot":%d,"end":%q,"last":{"s":%d}}`, boot, end, last)
}

func sent(boot int, late bool, seqs ...int) [2]string {
	topic, payload := readings(boot, late, seqs...)
	return [2]string{topic, payload}
}

func event(boot, n int, fields string) [2]string {
	return [2]string{"fieldgate/g/events/sensor", fmt.Sprintf(`{"v":1,"gateway":"g","store":"x","boot":%d,"n":%d,"ts":null,"up":1%s}`, boot, n, fields)}
}

// at is a reading with a time.
func at(boot int, clock string, seq int) [2]string {
	return [2]string{"p/g/telemetry/s", fmt.Sprintf(`{"gateway":"g","store":"x","boot":%d,"sensor":"s","readings":[{"seq":%d,"ts":"2026-11-21T%s.000Z"}]}`, boot, seq, clock)}
}

// TestReport tells histories, as who listened from the beginning or later, and checks the verdict and what is complained of.
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
		{"a boot under way, an unclean end, the next from the beginning", true,
			[][2]string{sent(1, false, 150, 151), booted(2, ended(1, "unclean", 0)), sent(2, false, 2)}, "incomplete; g s 2 1"},
		{"events of the boot under way, sent again by the next", true,
			[][2]string{sent(1, false, 150, 151), booted(1, ""), booted(2, ended(1, "unclean", 0)), sent(2, false, 1)}, "complete"},
		{"only the next boot is heard, and events of the one before", true,
			[][2]string{booted(1, ""), booted(2, ended(1, "clean", 90)), sent(2, false, 1)}, "complete"},
		{"late readings of the boot before", true,
			[][2]string{booted(1, ""), booted(2, ended(1, "clean", 90)), sent(1, true, 80, 81, 83), sent(2, false, 1)}, "incomplete; g s 1 82; g s 1 84 to 90"},
		{"what was not durable", false,
			[][2]string{booted(1, ""), sent(1, false, 1, 2, 5), booted(2, ended(1, "unclean", 3)), sent(2, false, 1)}, "incomplete; g s 1 3"},
		{"only what was not durable", false,
			[][2]string{booted(1, ""), sent(1, false, 1, 2, 3, 5), booted(2, ended(1, "unclean", 3)), sent(2, false, 1)}, "complete"},
		{"an end that nobody told", false, [][2]string{booted(1, ""), sent(1, false, 1), sent(2, false, 1)}, "incomplete; untold 1; events 2 1"},
		{"an event is missing", false, [][2]string{booted(1, ""), sent(1, false, 1), event(1, 3, "")}, "incomplete; events 1 2"},
		{"a damaged store", false, [][2]string{booted(1, ""), sent(1, false, 1),
			event(1, 2, `,"loss":[{"store":"","boot":0,"sensor":"","first":0,"last":0,"count":0,"reason":"corrupt"}]`)}, "incomplete; unknown 1"},
		{"a hole long before the crash", false, [][2]string{
			{"p/g/events/boot", `{"gateway":"g","store":"x","boot":1,"n":1,"version":"t","max_loss":1}`},
			at(1, "15:00:00", 1), at(1, "15:00:20", 5), at(1, "15:01:00", 6), at(1, "15:01:01", 9),
			{"p/g/events/boot", `{"gateway":"g","store":"x","boot":2,"n":1,"version":"t","max_loss":1,"previous":{"store":"x","boot":1,"end":"unclean","last":{}}}`}},
			"incomplete; g s 1 2 to 4"},
		{"a clean end told, then an unclean one", false, [][2]string{booted(1, ""), sent(1, false, 1, 2), booted(2, ended(1, "clean", 4)),
			event(2, 2, `,"version":"t"`+ended(1, "unclean", 0))}, "incomplete; g s 1 3 to 4"},
		{"a ledger entry that counts less than its range", false, [][2]string{booted(1, ""), sent(1, false, 1, 10),
			event(1, 2, `,"loss":[{"store":"x","boot":1,"sensor":"s","first":2,"last":9,"count":3,"reason":"evicted"}]`),
			event(1, 3, `,"loss":[{"store":"x","boot":1,"sensor":"s","first":2,"last":9,"count":3,"reason":"evicted"}]`)}, "incomplete; g s 1 5 to 9"},
		{"a ledger entry that counts nothing", false, [][2]string{booted(1, ""), sent(1, false, 1, 10),
			event(1, 2, `,"loss":[{"store":"x","boot":1,"sensor":"s","first":2,"last":9,"count":0,"reason":"corrupt"}]`)}, "incomplete; unknown 1"},
		{"a store that was taken away", false, [][2]string{booted(1, ""), sent(1, false, 1),
			{"p/g/events/boot", `{"gateway":"g","store":"y","boot":1,"n":1,"version":"t"}`}}, "incomplete; untold 1"},
		{"a history that begins later", false, [][2]string{booted(7, ended(6, "clean", 0)), sent(7, false, 1)}, "incomplete; events 6 1"},
		{"means of several", false, [][2]string{booted(1, ""), {"p/g/telemetry/s/late",
			`{"gateway":"g","store":"x","boot":1,"sensor":"s","readings":[{"seq":1,"seq_to":60,"n":60},{"seq":61,"seq_to":120,"n":60}]}`}}, "complete"},
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
				for _, m := range s.Missing {
					got = append(got, fmt.Sprint(s.Gateway, " ", s.Sensor, " ", s.Boot, " ", m))
				}
			}
			for _, g := range r.Gaps {
				for _, e := range g.Events {
					got = append(got, fmt.Sprint("events ", g.Boot, " ", e))
				}
				if g.Untold {
					got = append(got, fmt.Sprint("untold ", g.Boot))
				}
				if g.Unknown > 0 {
					got = append(got, fmt.Sprint("unknown ", g.Boot))
				}
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
	document := `{"v":1,"gateway":"g","store":"x","boot":1,"sensor":"s","readings":[{"seq":%d,"ts":null,"up":1,"values":{}}]}`
	lines := []string{
		fmt.Sprintf(document, 1),
		`{"topic":"fieldgate/g/telemetry/s","payload":` + fmt.Sprintf(document, 2) + `}`,
		fmt.Sprintf(`{"tst":"now","topic":"fieldgate/g/telemetry/s","qos":1,"payload":%q}`, fmt.Sprintf(document, 3)),
		`{"gateway":"g","store":"x","boot":1,"sensor":"s","seq":4,"ts":null,"up":1,"t":1}`,
		"",
		`{"topic":"fieldgate/g/last/s","payload":""}`,
		`{"topic":"fieldgate/g/telemetry/s","payload":""}`,
		`{"v":1,"gateway":"g","store":"x","boot":1,"n":1,"ts":null,"up":1,"version":"t"}`,
		`{"v":1,"gateway":"g","store":"x","boot":1,"n":2,"ts":null,"up":1,"loss":[{"store":"x","boot":1,"sensor":"s","first":5,"last":6,"count":2,"reason":"evicted"}]}`,
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

package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/verify"
	"github.com/fieldgate/fieldgate/mqtt"
)

// TestOutageBeyondTheStore lets a gateway take more readings while the broker is away than its
// store has room for. Afterwards the receiver has everything, in means or in the ledger, and proves
// it: under the policies thin and drop-oldest, with sensors of different priorities and one whose
// readings expire.
func TestOutageBeyondTheStore(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	for _, policy := range []string{"thin", "drop-oldest"} {
		t.Run(policy, func(t *testing.T) {
			m := newMosquitto(t)
			text := fmt.Sprintf("[buffer]\nmax_bytes = \"8MiB\"\nmin_free = \"1MiB\"\nwhen_full = %q\n", policy)
			for _, s := range []string{
				"name = \"noise\"\nevery = \"25us\"\npriority = \"low\"", "name = \"normal\"\nevery = \"50us\"", "name = \"key\"\nevery = \"50ms\"\npriority = \"high\"",
				"name = \"fleeting\"\nevery = \"100ms\"\nttl = \"2s\"",
			} {
				text += "[[sensor]]\ndriver = \"sim\"\n" + s + "\n[sensor.options]\nnoise = 3.3\n"
			}
			g := newGateway(t, m.url(), text)
			compiled := schemas(t)
			var mu sync.Mutex
			tracker := verify.New()
			ended := false
			listen(t, m.url(), func(msg *mqtt.Message) {
				mu.Lock()
				defer mu.Unlock()
				if err := tracker.Message(msg.Topic, msg.Payload); err != nil {
					t.Error(err)
				}
				ended = ended || strings.Contains(string(msg.Payload), `"end":"clean"`)
				if strings.Contains(msg.Topic, "/telemetry/") && strings.Contains(string(msg.Payload), "seq_to") {
					if err := validate(compiled["telemetry"], msg.Payload); err != nil {
						t.Errorf("%v\n%s", err, msg.Payload)
					}
				}
			})
			if text, code := g.command("queue", "size", "--for", "6h", "-c", g.path("fieldgate.toml")); code != exitDone || !strings.Contains(text, "it does not fit") {
				t.Errorf("size: exit code %d, %s", code, text)
			}
			m.stop()
			g.running()
			eventually(t, 60*time.Second, "readings are removed or thinned", func() bool {
				s, err := g.ask()
				q := s.Health.Queue
				return err == nil && q.Evicted+q.Thinned > 1000
			})
			g.stop() // what waits is reported by the next start, whose sensors are off
			g.configure(m.url(), strings.ReplaceAll(text, "[[sensor]]", "[[sensor]]\nenabled = false"))
			g.running()
			if policy == "drop-oldest" {
				checkQueueCommands(t, g)
			}
			m.start()
			eventually(t, 60*time.Second, "the queue is empty", func() bool {
				s, err := g.ask()
				q := s.Health.Queue
				return err == nil && s.Health.Link.Connected && q.Live+q.Backlog+q.InFlight+q.Events == 0
			})
			eventually(t, 10*time.Second, "the receiver has proof", func() bool {
				mu.Lock()
				defer mu.Unlock()
				// the newest losses are reported after a few seconds
				return ended && tracker.Report().Verdict == verify.Complete
			})
			mu.Lock()
			defer mu.Unlock()
			r := tracker.Report()
			of := map[string]verify.Result{}
			for _, s := range r.Sequences {
				of[s.Sensor] = s
			}
			var b strings.Builder
			_ = r.Print(&b)
			t.Log("\n" + b.String())
			switch {
			case of["key"].Lost > 0 || of["key"].Thinned > 0:
				t.Errorf("readings of high priority gave way: %+v", of["key"])
			case of["noise"].Lost+of["noise"].Thinned == 0:
				t.Errorf("readings of low priority did not give way: %+v", of["noise"])
			case of["fleeting"].Lost == 0:
				t.Errorf("no reading expired: %+v", of["fleeting"])
			case (of["noise"].Thinned > 0) != (policy == "thin"):
				t.Errorf("thinned %d readings", of["noise"].Thinned)
			}
		})
	}
}

// checkQueueCommands looks into a store that is full.
func checkQueueCommands(t *testing.T, g *gatewayRig) {
	t.Helper()
	text, code := g.command("queue", "stats", "--json", "-c", g.path("fieldgate.toml"))
	var s contract.QueueStats
	if err := json.Unmarshal([]byte(text), &s); err != nil || code != exitDone || s.Readings < 1000 || s.Sensors["key"].Readings == 0 || s.Sensors["key"].OldestSeq == 0 {
		t.Errorf("stats: exit code %d, %v\n%s", code, err, text)
	}
	file := g.path("export.jsonl")
	if text, code := g.command("queue", "export", "-o", file, "-c", g.path("fieldgate.toml")); code != exitDone {
		t.Errorf("export: exit code %d, %s", code, text)
	}
	if text, code := g.command("queue", "export", "-o", file, "-c", g.path("fieldgate.toml")); code != exitFailed || !strings.Contains(text, "exist") {
		t.Errorf("export over a file that exists: exit code %d, %s", code, text)
	}
	tracker := verify.New()
	tracker.Partial = true
	lines, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer lines.Close()
	if err := tracker.Lines(lines, file); err != nil {
		t.Error(err)
	}
	found := false
	for _, r := range tracker.Results() {
		found = found || r.Sensor == "key" && r.Received > 0 && len(r.Missing) == 0
	}
	if !found {
		t.Errorf("the export has %+v", tracker.Results())
	}
	if text, code := g.command("queue", "dead-letter", "list", "-c", g.path("fieldgate.toml")); code != exitDone || text != "there are no dead letters\n" {
		t.Errorf("dead letters: exit code %d, %q", code, text)
	}
}

// TestExportAsCSV writes a few readings, one of which is bad, as a table.
func TestExportAsCSV(t *testing.T) {
	g := newGateway(t, "mqtt://127.0.0.1:1", "[[sensor]]\nname = \"board\"\ndriver = \"host\"\nevery = \"20ms\"\n")
	g.running()
	eventually(t, 10*time.Second, "readings wait", func() bool { s, err := g.ask(); return err == nil && s.Health.Queue.Live > 3 })
	table, code := g.command("queue", "export", "--format", "csv", "-c", g.path("fieldgate.toml"))
	rows, err := csv.NewReader(strings.NewReader(table)).ReadAll()
	if err != nil || code != exitDone || len(rows) < 10 || strings.Join(rows[0], ",") != "gateway,run,sensor,seq,seq_to,ts,up,field,value,bad" {
		t.Fatalf("exit code %d, %v, %.300s", code, err, table)
	}
	for _, r := range rows[1:] {
		if r[0] != "gw" || r[2] != "board" || r[3] == "" || (r[8] == "") != (r[9] != "") {
			t.Errorf("%q", r)
		}
	}
	if text, code := g.command("queue", "export", "--format", "xml", "-c", g.path("fieldgate.toml")); code != exitUsage {
		t.Errorf("another format: exit code %d, %s", code, text)
	}
	if text, code := g.command("queue", "dead-letter", "drop", "-c", g.path("fieldgate.toml")); code != exitUsage || !strings.Contains(text, "--all") {
		t.Errorf("drop of nothing: exit code %d, %s", code, text)
	}
	if text, code := g.command("queue", "dead-letter", "retry", "99", "-c", g.path("fieldgate.toml")); code != exitFailed || !strings.Contains(text, "not found") {
		t.Errorf("retry of what is not there: exit code %d, %s", code, text)
	}
}

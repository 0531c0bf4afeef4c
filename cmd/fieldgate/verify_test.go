package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3" // for the queries of docs/verify.md

	"github.com/fieldgate/fieldgate/internal/verify"
	"github.com/fieldgate/fieldgate/mqtt"
)

// TestVerifyWatches lets `fieldgate verify` watch a gateway that is killed and started again meanwhile, which loses nothing that it would not
// explain; then it reads the same from a file, and from one that lacks the boot events.
func TestVerifyWatches(t *testing.T) {
	m := newMosquitto(t)
	g := newGateway(t, m.url(), "[buffer]\nmax_loss = \"0s\"\n[[sensor]]\nname = \"fast\"\ndriver = \"sim\"\nevery = \"5ms\"\n")
	var mu sync.Mutex
	var lines []string
	heard := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(lines)
	}
	listen(t, m.url(), func(msg *mqtt.Message) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, fmt.Sprintf(`{"topic":%q,"payload":%q}`, msg.Topic, msg.Payload))
	})
	g.start()
	eventually(t, 10*time.Second, "the first boot is under way", func() bool { return heard() > 50 })

	watch := exec.Command(needBinary(t), "verify", "--broker", m.url(), "--for", "3s", "--json")
	var out, said syncBuffer
	watch.Stdout, watch.Stderr = &out, &said
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "verify listens", func() bool { return strings.HasPrefix(said.String(), "listening at ") })
	before := heard()
	eventually(t, 5*time.Second, "readings of the first boot arrive", func() bool { return heard() > before+50 })
	g.kill()
	g.start()
	if err := watch.Wait(); err != nil {
		t.Errorf("verify: %v\n%s", err, out.String())
	}
	var r verify.Report
	if err := json.Unmarshal([]byte(out.String()), &r); err != nil {
		t.Fatal(err)
	}
	if r.Verdict != verify.Complete || len(r.Sequences) != 2 || r.Sequences[0].End != "unclean" || r.Sequences[0].Received < 10 || r.Sequences[1].Received == 0 {
		t.Errorf("%+v", r)
	}
	g.stop()

	mu.Lock()
	defer mu.Unlock()
	file := g.path("messages.jsonl")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, code := g.command("verify", file); code != exitDone || !strings.Contains(text, "COMPLETE: ") || strings.Contains(text, "IN"+"COMPLETE") {
		t.Errorf("the file: exit code %d\n%s", code, text)
	}
	lines = slices.DeleteFunc(lines, func(line string) bool { return strings.Contains(line, "/events/boot") })
	without := exec.Command(needBinary(t), "verify", "-")
	without.Stdin = strings.NewReader(strings.Join(lines, "\n"))
	if text, err := without.CombinedOutput(); err == nil || without.ProcessState.ExitCode() != exitFailed || !strings.Contains(string(text), "INCOMPLETE") {
		t.Errorf("without boot events: %v\n%s", err, text)
	}
	if text, code := g.command("verify", g.path("none")); code != exitUsage {
		t.Errorf("a file that is not there: exit code %d, %s", code, text)
	}
}

// TestVerifyWithoutABroker: that nothing was heard has a reason.
func TestVerifyWithoutABroker(t *testing.T) {
	g := newGateway(t, "mqtt://127.0.0.1:1", waveSensor)
	out, code := g.command("verify", "--broker", "mqtt://127.0.0.1:1", "--for", "1s")
	if code != exitFailed || strings.Count(out, "not connected: ") != 1 || !strings.Contains(out, "fieldgate verify: mqtt: dial mqtt://127.0.0.1:1") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// TestVerifySQL runs the queries of docs/verify.md over random histories: they find what the tracker finds.
func TestVerifySQL(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(docs, "verify.md"))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, b := range regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, b[1])
	}
	if len(blocks) != 4 {
		t.Fatalf("%d blocks of SQL", len(blocks))
	}
	found := 0
	for seed := range uint64(60) {
		db, err := sql.Open("sqlite3", ":memory:")
		if err != nil {
			t.Fatal(err)
		}
		db.SetMaxOpenConns(1)
		if _, err := db.Exec(blocks[0]); err != nil {
			t.Fatal(err)
		}
		tracker := history(t, db, rand.New(rand.NewPCG(seed, 0)))
		var missing, untold, events []string
		for _, r := range tracker.Results() {
			for _, m := range r.Missing {
				missing = append(missing, fmt.Sprint(r.Boot, r.Sensor, m.First, m.Last))
			}
		}
		for _, g := range tracker.Gaps() {
			if g.Untold {
				untold = append(untold, fmt.Sprint(g.Boot))
			}
			for _, e := range g.Events {
				events = append(events, fmt.Sprint(g.Boot, e.First, e.Last))
			}
		}
		for i, want := range [][]string{missing, untold, events} {
			if got := query(t, db, blocks[i+1]); !slices.Equal(got, want) {
				t.Errorf("seed %d, query %d: want %v, got %v", seed, i+1, want, got)
			}
			found += len(want)
		}
		db.Close()
	}
	if found < 100 {
		t.Errorf("the histories lack only %d things", found)
	}
}

// history makes three boots of two sensors with losses, holes and ends of all kinds, for the tracker and the tables.
func history(t *testing.T, db *sql.DB, r *rand.Rand) *verify.Tracker {
	t.Helper()
	tracker := verify.New()
	put := func(statement string, args ...any) {
		if _, err := db.Exec(statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	message := func(topic, format string, args ...any) {
		if err := tracker.Message("fieldgate/g/"+topic, fmt.Appendf(nil, format, args...)); err != nil {
			t.Fatal(err)
		}
	}
	previous := ""
	for boot := 1; boot <= 3; boot++ {
		n := 0
		event := func(kind, fields string) bool {
			n++
			if r.IntN(8) == 0 {
				return false // it did not arrive
			}
			message("events/"+kind, `{"v":1,"gateway":"g","store":"x","boot":%d,"n":%d,"ts":null,"up":1%s}`, boot, n, fields)
			put("INSERT INTO events VALUES ('g','x',?,?)", boot, n)
			return true
		}
		var marks map[string]int
		ended := "clean"
		if event("boot", `,"version":"t"`+previous) && boot > 1 {
			var p struct {
				Previous struct {
					End  string
					Last map[string]int
				}
			}
			if err := json.Unmarshal([]byte("{"+previous[1:]+"}"), &p); err != nil {
				t.Fatal(err)
			}
			put("INSERT INTO boot_ends VALUES ('g','x',?,?)", boot-1, p.Previous.End)
			for sensor, last := range p.Previous.Last {
				put("INSERT INTO boot_marks VALUES ('g','x',?,?,?)", boot-1, sensor, last)
			}
		}
		if r.IntN(2) == 0 {
			ended = "unclean"
		}
		marks = map[string]int{}
		for _, sensor := range []string{"a", "b"} {
			last := r.IntN(30)
			for seq := 1; seq <= last; seq++ {
				switch r.IntN(12) {
				case 0: // it is missing
				case 1:
					to := seq + r.IntN(4)
					if event("loss", fmt.Sprintf(`,"loss":[{"store":"x","boot":%d,"sensor":%q,"first":%d,"last":%d,"count":%d,"reason":"evicted"}]`, boot, sensor, seq, to, to-seq+1)) {
						put("INSERT INTO losses VALUES ('g','x',?,?,?,?)", boot, sensor, seq, to)
					}
				case 2:
					to := seq + 1 + r.IntN(4)
					message("telemetry/"+sensor, `{"gateway":"g","store":"x","boot":%d,"sensor":%q,"readings":[{"seq":%d,"seq_to":%d}]}`, boot, sensor, seq, to)
					put("INSERT INTO readings VALUES ('g','x',?,?,?,?)", boot, sensor, seq, to)
				default:
					for range 1 + r.IntN(2) {
						message("telemetry/"+sensor, `{"gateway":"g","store":"x","boot":%d,"sensor":%q,"readings":[{"seq":%d}]}`, boot, sensor, seq)
						put("INSERT INTO readings VALUES ('g','x',?,?,?,NULL)", boot, sensor, seq)
					}
				}
			}
			if r.IntN(5) > 0 {
				marks[sensor] = r.IntN(last + 3)
			}
		}
		last, err := json.Marshal(marks)
		if err != nil {
			t.Fatal(err)
		}
		previous = fmt.Sprintf(`,"previous":{"store":"x","boot":%d,"end":%q,"last":%s}`, boot, ended, last)
	}
	return tracker
}

// query returns the rows of a query without gateway and store.
func query(t *testing.T, db *sql.DB, text string) (list []string) {
	t.Helper()
	rows, err := db.Query(text)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		var row []any
		for _, v := range values[2:] {
			row = append(row, *v.(*any))
		}
		list = append(list, fmt.Sprint(row...))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

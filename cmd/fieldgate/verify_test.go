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
	"syscall"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3" // for the queries of docs/verify.md

	"github.com/fieldgate/fieldgate/internal/verify"
	"github.com/fieldgate/fieldgate/mqtt"
)

// TestVerifyWatches lets `fieldgate verify` watch a gateway that is killed and started again
// meanwhile, which loses nothing that it would not explain; then it reads the same from a file, and
// from one that lacks the boot events.
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
	eventually(t, 5*time.Second, "verify listens", func() bool { return strings.Contains(said.String(), "connected to ") })
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

// TestVerifyOverBrokerRestarts restarts mosquitto under `fieldgate verify`. It keeps the session of
// the verifier, so the verdict is complete; once it has lost it, the verdict says from when to when
// nothing was heard, and the watch goes on.
func TestVerifyOverBrokerRestarts(t *testing.T) {
	t.Parallel()
	m := newMosquitto(t)
	g := newGateway(t, m.url(), "[[sensor]]\nname = \"fast\"\ndriver = \"sim\"\nevery = \"20ms\"\n")
	g.start()
	for _, lose := range []bool{false, true} {
		g.online()
		watch := exec.Command(needBinary(t), "verify", "--broker", m.url(), "--json")
		var out, said syncBuffer
		watch.Stdout, watch.Stderr = &out, &said
		if err := watch.Start(); err != nil {
			t.Fatal(err)
		}
		delivered := func() uint64 {
			s, err := g.ask()
			if err != nil {
				t.Fatal(err)
			}
			return s.Health.Queue.Delivered
		}
		listens := func(times int) {
			eventually(t, 2*time.Minute, "verify listens", func() bool { return strings.Count(said.String(), "connected to ") >= times })
			before := delivered()
			eventually(t, time.Minute, "readings arrive", func() bool { return delivered() > before+50 })
		}
		listens(1)
		for i := range 3 {
			m.stop()
			if lose && i == 1 {
				if err := os.Remove(filepath.Join(m.dir, "mosquitto.db")); err != nil {
					t.Fatal(err)
				}
			}
			m.start()
			listens(i + 2)
		}
		if err := watch.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		err := watch.Wait()
		var r verify.Report
		if err := json.Unmarshal([]byte(out.String()), &r); err != nil {
			t.Fatal(err)
		}
		want, gaps := verify.Complete, 0
		if lose {
			want, gaps = verify.Incomplete, 1
		}
		if r.Verdict != want || len(r.Outages) != gaps || (err == nil) == lose || len(r.Sequences) == 0 {
			t.Errorf("lost %v: %v, %+v\n%s", lose, err, r, &said)
		}
		for _, u := range r.Outages {
			if d := u.To.Sub(u.From.Time); d <= 0 || d > 20*time.Second {
				t.Errorf("not heard for %v", d)
			}
		}
	}
	g.stop()
}

// TestVerifyWithoutABroker: that nothing was heard has a reason.
func TestVerifyWithoutABroker(t *testing.T) {
	g := newGateway(t, "mqtt://127.0.0.1:1", waveSensor)
	out, code := g.command("verify", "--broker", "mqtt://127.0.0.1:1", "--for", "1s")
	if code != exitFailed || !strings.HasPrefix(out, "connecting to mqtt://127.0.0.1:1\nnot connected: nothing listens at the port: ") || strings.Count(out, "not connected: ") != 1 || !strings.Contains(out, "fieldgate verify: mqtt: dial mqtt://127.0.0.1:1") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// TestVerifySQL runs the queries of docs/verify.md over random histories: they find what the
// tracker finds.
func TestVerifySQL(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(docs, "verify.md"))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, b := range regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, b[1])
	}
	if len(blocks) != 6 {
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
		tracker, newest := history(t, db, rand.New(rand.NewPCG(seed, 0)))
		var missing, unreported, copies, events, reused []string
		for _, r := range tracker.Results() {
			for _, m := range r.Missing {
				missing = append(missing, numbers(r.Run+r.Sensor, m.First, m.Last)...)
			}
			if r.Reused > 0 {
				reused = append(reused, fmt.Sprint(r.Run, r.Sensor, 1))
			}
		}
		for _, g := range tracker.Gaps() {
			if g.Unreported {
				unreported = append(unreported, fmt.Sprint(g.Gateway, g.Run))
			}
			if g.Copies != nil {
				copies = append(copies, fmt.Sprint(g.Gateway, g.Run, g.Copies[0], g.Copies[len(g.Copies)-1]))
			}
			for _, e := range g.Events {
				events = append(events, numbers(g.Run, e.First, e.Last)...)
			}
		}
		if unreported != nil { // SQL does not know which one is the newest
			unreported = append(unreported, "g"+newest)
		}
		for _, list := range [][]string{missing, unreported, copies, events, reused} {
			slices.Sort(list)
		}
		for i, want := range [][]string{missing, unreported, copies, events, reused} {
			got := query(t, db, blocks[i+1])
			slices.Sort(got)
			if !slices.Equal(got, want) {
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

// history makes five runs of two sensors with losses, holes, copies that were put back and ends of
// all kinds, for the tracker and the tables. newest is the run that was heard first as the last
// one, of those that none names.
func history(t *testing.T, db *sql.DB, r *rand.Rand) (tracker *verify.Tracker, newest string) {
	t.Helper()
	tracker = verify.New()
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
	type ending struct {
		run, end string
		last     map[string]int
		events   int
	}
	var ends []ending // of the runs so far; each follows one of them
	named := map[string]bool{}
	var heard []string
	for i := range 5 {
		run, n := fmt.Sprint("r", i), 0
		hear := func() {
			if !slices.Contains(heard, run) {
				heard = append(heard, run)
			}
		}
		event := func(kind, fields string) bool {
			n++
			if r.IntN(8) == 0 {
				return false // it did not arrive
			}
			hear()
			message("events/"+kind, `{"v":1,"gateway":"g","run":%q,"n":%d,"ts":null,"up":1%s}`, run, n, fields)
			put("INSERT INTO events VALUES ('g',?,?)", run, n)
			return true
		}
		if i == 0 {
			event("boot", `,"version":"t"`)
		} else {
			before := ends[len(ends)-1]
			if r.IntN(4) == 0 {
				before = ends[r.IntN(len(ends))] // an older copy was put back
			}
			last, err := json.Marshal(before.last)
			if err != nil {
				t.Fatal(err)
			}
			if event("boot", fmt.Sprintf(`,"version":"t","previous":{"run":%q,"gateway":"g","end":%q,"last":%s,"events":%d}`, before.run, before.end, last, before.events)) {
				named[before.run] = true
				put("INSERT INTO run_ends VALUES ('g',?,?,?,?)", run, before.run, before.end, before.events)
				for sensor, last := range before.last {
					put("INSERT INTO run_marks VALUES (?,?,?)", before.run, sensor, last)
				}
			}
		}
		end := ending{run: run, end: "clean", last: map[string]int{}}
		if r.IntN(2) == 0 {
			end.end = "unclean"
		}
		for _, sensor := range []string{"a", "b"} {
			last := r.IntN(30)
			telemetry := func(seq, second int, to string) {
				hear()
				ts := fmt.Sprintf("2026-11-20T15:00:%02d.%03dZ", second, 10*seq)
				message("telemetry/"+sensor, `{"gateway":"g","run":%q,"sensor":%q,"readings":[{"seq":%d,"ts":%q%s}]}`, run, sensor, seq, ts, to)
			}
			for seq := 1; seq <= last; seq++ {
				switch r.IntN(12) {
				case 0: // it is missing
				case 1:
					to := seq + r.IntN(4)
					if event("loss", fmt.Sprintf(`,"loss":[{"run":%q,"sensor":%q,"first":%d,"last":%d,"count":%d,"reason":"evicted"}]`, run, sensor, seq, to, to-seq+1)) {
						put("INSERT INTO losses VALUES (?,?,?,?)", run, sensor, seq, to)
					}
				case 2:
					to := seq + 1 + r.IntN(4)
					telemetry(seq, 0, fmt.Sprintf(`,"seq_to":%d`, to))
					put("INSERT INTO readings VALUES ('g',?,?,?,?,'0')", run, sensor, seq, to)
				default:
					for range 1 + r.IntN(2) {
						telemetry(seq, 0, "")
						put("INSERT INTO readings VALUES ('g',?,?,?,NULL,'0')", run, sensor, seq)
					}
				}
			}
			if r.IntN(10) == 0 { // a snapshot was resumed, and the first number came again
				telemetry(1, 0, "")
				telemetry(1, 1, "")
				put("INSERT INTO readings VALUES ('g',?,?,1,NULL,'0')", run, sensor)
				put("INSERT INTO readings VALUES ('g',?,?,1,NULL,'9')", run, sensor)
			}
			if r.IntN(5) > 0 {
				end.last[sensor] = r.IntN(last + 3)
			}
		}
		end.events = r.IntN(n + 2)
		ends = append(ends, end)
	}
	for _, run := range heard {
		if !named[run] {
			newest = run
		}
	}
	return tracker, newest
}

// numbers lists what a hole has.
func numbers(of string, first, last uint64) (list []string) {
	for n := first; n <= last; n++ {
		list = append(list, fmt.Sprint(of, " ", n))
	}
	return list
}

// query returns the rows of a query.
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
		for _, v := range values {
			row = append(row, *v.(*any))
		}
		if n := len(columns); columns[n-1] == "last" { // a hole, which may come in pieces
			list = append(list, numbers(fmt.Sprint(row[:n-2]...), uint64(row[n-2].(int64)), uint64(row[n-1].(int64)))...)
			continue
		}
		list = append(list, fmt.Sprint(row...))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

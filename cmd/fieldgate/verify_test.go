package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
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

// A history is tables that were filled: the statements that fill them, and what verify finds.
type sqlHistory struct {
	statements []string
	want       [5][]string // per query of docs/verify.md, from the second block of SQL on
}

// TestVerifySQL runs the queries of docs/verify.md over random histories, in SQLite and PostgreSQL:
// they find what the tracker finds.
func TestVerifySQL(t *testing.T) {
	blocks := sqlBlocks(t, "verify.md")
	if len(blocks) != 7 {
		t.Fatalf("%d blocks of SQL", len(blocks))
	}
	var histories []sqlHistory
	found := 0
	for seed := range uint64(60) {
		h := randomHistory(t, seed)
		for _, want := range h.want {
			found += len(want)
		}
		histories = append(histories, h)
	}
	if found < 100 {
		t.Errorf("the histories lack only %d things", found)
	}
	check := func(t *testing.T, seed, i int, rows [][]string, err error) {
		t.Helper()
		got := findings(t, rows, i == 0 || i == 3)
		if slices.Sort(got); err != nil || !slices.Equal(got, histories[seed].want[i]) {
			t.Errorf("seed %d, query %d: want %v, got %v, %v", seed, i+1, histories[seed].want[i], got, err)
		}
	}
	t.Run("SQLite", func(t *testing.T) {
		for seed, h := range histories {
			db, err := sql.Open("sqlite3", ":memory:")
			if err != nil {
				t.Fatal(err)
			}
			db.SetMaxOpenConns(1)
			if _, err := db.Exec(blocks[0] + strings.Join(h.statements, "")); err != nil {
				t.Fatal(err)
			}
			for i := range h.want {
				rows, err := sqliteRows(db, blocks[i+1])
				check(t, seed, i, rows, err)
			}
			db.Close()
		}
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		p := newPostgres(t)
		for seed, h := range histories {
			const mark = "-- next"
			text := fmt.Sprintf("CREATE SCHEMA s%d; SET search_path = s%d;\n", seed, seed) + blocks[0] + strings.Join(h.statements, "")
			for _, b := range blocks[1 : len(h.want)+1] {
				text += b + "SELECT '" + mark + "';\n"
			}
			rows := p.must(text)
			for i := range h.want {
				end := slices.IndexFunc(rows, func(row []string) bool { return row[0] == mark })
				if end < 0 {
					t.Fatalf("seed %d: query %d has no end", seed, i+1)
				}
				check(t, seed, i, rows[:end], nil)
				rows = rows[end+1:]
			}
		}
	})
}

// findings lists rows as one text each; a hole, which may come in pieces, as each of its numbers.
func findings(t *testing.T, rows [][]string, holes bool) (list []string) {
	t.Helper()
	for _, row := range rows {
		if !holes {
			list = append(list, strings.Join(row, ""))
			continue
		}
		n := len(row) - 2
		first, err := strconv.ParseUint(row[n], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		last, err := strconv.ParseUint(row[n+1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, numbers(strings.Join(row[:n], ""), first, last)...)
	}
	return list
}

func randomHistory(t *testing.T, seed uint64) (h sqlHistory) {
	t.Helper()
	put := func(format string, args ...any) {
		h.statements = append(h.statements, fmt.Sprintf(format+";\n", args...))
	}
	tracker, newest := history(t, put, rand.New(rand.NewPCG(seed, 0)))
	for _, r := range tracker.Results() {
		for _, m := range r.Missing {
			h.want[0] = append(h.want[0], numbers(r.Run+r.Sensor, m.First, m.Last)...)
		}
		if r.Reused > 0 {
			h.want[4] = append(h.want[4], fmt.Sprint(r.Run, r.Sensor, 1))
		}
	}
	for _, g := range tracker.Gaps() {
		if g.Unreported {
			h.want[1] = append(h.want[1], fmt.Sprint(g.Gateway, g.Run))
		}
		if g.Copies != nil {
			h.want[2] = append(h.want[2], fmt.Sprint(g.Gateway, g.Run, g.Copies[0], g.Copies[len(g.Copies)-1]))
		}
		for _, e := range g.Events {
			h.want[3] = append(h.want[3], numbers(g.Run, e.First, e.Last)...)
		}
	}
	if h.want[1] != nil { // SQL does not know which one is the newest
		h.want[1] = append(h.want[1], "g"+newest)
	}
	for _, list := range h.want {
		slices.Sort(list)
	}
	return h
}

// history makes five runs of two sensors with losses, holes, copies that were put back and ends of
// all kinds, for the tracker and the tables. newest is the run that was heard first as the last
// one, of those that none names.
func history(t *testing.T, put func(format string, args ...any), r *rand.Rand) (tracker *verify.Tracker, newest string) {
	t.Helper()
	tracker = verify.New()
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
			put("INSERT INTO events VALUES ('g','%s',%d)", run, n)
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
				put("INSERT INTO run_ends VALUES ('g','%s','%s','%s',%d)", run, before.run, before.end, before.events)
				for sensor, last := range before.last {
					put("INSERT INTO run_marks VALUES ('%s','%s',%d)", before.run, sensor, last)
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
						put("INSERT INTO losses VALUES ('%s','%s',%d,%d)", run, sensor, seq, to)
					}
				case 2:
					to := seq + 1 + r.IntN(4)
					telemetry(seq, 0, fmt.Sprintf(`,"seq_to":%d`, to))
					put("INSERT INTO readings VALUES ('g','%s','%s',%d,%d,'0')", run, sensor, seq, to)
				default:
					for range 1 + r.IntN(2) {
						telemetry(seq, 0, "")
						put("INSERT INTO readings VALUES ('g','%s','%s',%d,NULL,'0')", run, sensor, seq)
					}
				}
			}
			if r.IntN(10) == 0 { // a snapshot was resumed, and the first number came again
				telemetry(1, 0, "")
				telemetry(1, 1, "")
				put("INSERT INTO readings VALUES ('g','%s','%s',1,NULL,'0')", run, sensor)
				put("INSERT INTO readings VALUES ('g','%s','%s',1,NULL,'9')", run, sensor)
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

package main

import (
	"cmp"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// archive is docs/consumers/archive.py at work.
type archive struct {
	t        *testing.T
	broker   *mosquitto
	database string
	rows     func(query string) ([][]string, error)
	exec     func(statement string) error
	name     string
	args     []string // beside broker and database
	cmd      *exec.Cmd
	log      syncBuffer
}

// archives are the engines that it takes.
var archives = map[string]func(t *testing.T) *archive{
	"SQLite": func(t *testing.T) *archive {
		file := filepath.Join(t.TempDir(), "archive.db")
		return &archive{database: file, rows: func(text string) ([][]string, error) {
			db, err := sql.Open("sqlite3", "file:"+file+"?mode=ro")
			if err != nil {
				return nil, err
			}
			defer db.Close()
			return sqliteRows(db, text)
		}, exec: func(text string) error {
			db, err := sql.Open("sqlite3", "file:"+file)
			if err != nil {
				return err
			}
			defer db.Close()
			_, err = db.Exec(text)
			return err
		}}
	},
	"PostgreSQL": func(t *testing.T) *archive {
		if err := exec.Command("/usr/bin/python3", "-c", "import psycopg2").Run(); err != nil {
			t.Skip("psycopg2 is not installed: NOTHING IS PROVEN of the archive in PostgreSQL; apt-get install python3-psycopg2")
		}
		p := newPostgres(t)
		return &archive{database: p.dsn(), rows: p.rows, exec: func(text string) error { _, err := p.rows(text); return err }}
	},
}

func newArchive(t *testing.T, engine string, m *mosquitto) *archive {
	t.Helper()
	if err := exec.Command("/usr/bin/python3", "-c", "import paho.mqtt.client").Run(); err != nil {
		t.Skip("paho-mqtt is not installed")
	}
	a := archives[engine](t)
	a.t, a.broker = t, m
	t.Cleanup(func() {
		a.kill()
		if t.Failed() {
			t.Logf("archive.py: %s", &a.log)
		}
	})
	return a
}

func (a *archive) start() {
	a.t.Helper()
	subscribed := "Sending SUBACK to " + cmp.Or(a.name, "archive") + "\n"
	before := strings.Count(a.broker.log.String(), subscribed)
	a.cmd = exec.Command("/usr/bin/python3", append([]string{filepath.Join(consumers, "archive.py"), "127.0.0.1:" + a.broker.port, a.database}, a.args...)...)
	a.cmd.Stderr = &a.log
	if err := a.cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	eventually(a.t, 20*time.Second, "the archive has subscribed", func() bool { return strings.Count(a.broker.log.String(), subscribed) > before })
}

func (a *archive) kill() {
	if a.cmd != nil {
		_ = a.cmd.Process.Kill()
		_ = a.cmd.Wait()
		a.cmd = nil
	}
}

func (a *archive) readings() map[string]kept {
	a.t.Helper()
	rows, err := a.rows("SELECT run, sensor, seq, ts, fields FROM readings")
	if err != nil {
		return nil // SQLite, while it is written to
	}
	all := map[string]kept{}
	for _, row := range rows {
		k := kept{}
		if row[3] != null {
			at, err := time.Parse(time.RFC3339, row[3])
			if err != nil {
				a.t.Fatal(err)
			}
			k.ms = at.UnixMilli()
		}
		if err := json.Unmarshal([]byte(row[4]), &k.fields); err != nil {
			a.t.Fatal(err)
		}
		key := row[0] + " " + row[1] + " " + row[2]
		if _, ok := all[key]; ok {
			a.t.Errorf("%s is there twice", key)
		}
		all[key] = k
	}
	return all
}

// TestArchive: what a journey sends, compressed, stands in the archive once; the queries of
// docs/verify.md find nothing missing, and neither does verify in what the page exports.
func TestArchive(t *testing.T) {
	t.Parallel()
	for engine := range archives {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			m := newMosquitto(t, "allow_anonymous true", "log_type all")
			a := newArchive(t, engine, m)
			j := newJourney(t, m, "compress = \"gzip\"\n")
			j.run(a, func(k kept) kept { return k })
			blocks := sqlBlocks(t, "verify.md")
			eventually(t, 20*time.Second, "the archive has the last event", func() bool {
				rows, err := a.rows(blocks[4])
				return err == nil && len(rows) == 0
			})
			for i, text := range blocks[1:6] {
				rows, err := a.rows(text)
				if err != nil || len(rows) > 0 {
					t.Errorf("query %d finds %v, %v", i+1, rows, err)
				}
			}
			text, code := a.verify(blocks[6])
			if code != exitDone || !strings.Contains(text, "\nCOMPLETE: ") {
				t.Errorf("verify: exit code %d\n%s", code, text)
			}
			now := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
			if engine == "PostgreSQL" {
				if err := a.exec("UPDATE readings SET ts = '" + now + "' WHERE ts IS NOT NULL"); err != nil {
					t.Fatal(err)
				}
				checkPanels(t, a.rows, map[string]int{"No readings of a sensor": 0, "Readings are missing": 0, "Readings were lost": 0},
					"Missing, unexplained", "Values of readings that came without a time")
			}

			if err := a.exec("DELETE FROM readings WHERE sensor = 'a' AND seq BETWEEN 77 AND 79"); err != nil {
				t.Fatal(err)
			}
			rows, err := a.rows(blocks[1])
			if err != nil || len(rows) != 1 || strings.Join(rows[0][1:], " ") != "a 77 79" {
				t.Errorf("of three readings that are gone the query finds %v, %v", rows, err)
			}
			if text, code := a.verify(blocks[6]); code != exitFailed || !strings.Contains(text, "INCOMPLETE: ") || !strings.Contains(text, "77") {
				t.Errorf("verify without three readings: exit code %d\n%s", code, text)
			}
			if engine == "PostgreSQL" {
				clock := fmt.Sprintf("INSERT INTO clocks SELECT run, '%s' FROM readings WHERE sensor = 'old' LIMIT 1", now)
				loss := `INSERT INTO losses VALUES ('gw', (SELECT run FROM readings WHERE sensor = 'a' LIMIT 1), 'a', 500, 501, 'evicted')`
				for _, statement := range []string{clock, loss, "UPDATE readings SET ts = replace(ts, left(ts, 4), '2025') WHERE sensor = 'b'"} {
					if err := a.exec(statement); err != nil {
						t.Fatal(err)
					}
				}
				checkPanels(t, a.rows, map[string]int{"No readings of a sensor": 1, "Readings are missing": 1, "Readings were lost": 1})
			}
		})
	}
}

// TestArchivesShare: two archives with a shared subscription, one of which is killed on the way and
// comes back, have every reading once between them, in one database.
func TestArchivesShare(t *testing.T) {
	t.Parallel()
	m := newMosquitto(t, "allow_anonymous true", "log_type all")
	one := newArchive(t, "PostgreSQL", m)
	one.name, one.args = "archive-1", []string{"archive-1", "$share/archive/fieldgate/+"}
	two := &archive{t: t, broker: m, database: one.database, name: "archive-2", args: []string{"archive-2", one.args[1]}}
	t.Cleanup(two.kill)
	one.start()
	two.start()
	j := newJourney(t, m, "compress = \"gzip\"\n")
	waited := func() (n int) {
		for key := range one.readings() {
			if !strings.Contains(key, " wave ") && !strings.Contains(key, " thin ") {
				n++
			}
		}
		return n
	}
	j.g.running()
	eventually(t, 30*time.Second, "readings arrive", func() bool { return waited() > 500 })
	two.kill()
	eventually(t, 30*time.Second, "the gateway has sent what waited", func() bool {
		s, err := j.g.ask()
		return err == nil && s.Health.Queue.Backlog == 0
	})
	two.start()
	eventually(t, 60*time.Second, "what waited is there", func() bool { return waited() == 2*journeyEach+journeyOld })
	j.g.stop()
	j.g.running() // names what the first run ended with
	j.g.online()
	for i, text := range sqlBlocks(t, "verify.md")[1:6] {
		eventually(t, 20*time.Second, fmt.Sprintf("query %d finds nothing", i+1), func() bool { rows, err := one.rows(text); return err == nil && len(rows) == 0 })
	}
	for _, name := range []string{"archive-1", "archive-2"} {
		if n := strings.Count(m.log.String(), "Sending PUBLISH to "+name); n < 20 {
			t.Errorf("%s got only %d messages", name, n)
		}
	}
}

// verify gives fieldgate verify what a query exports.
func (a *archive) verify(export string) (string, int) {
	a.t.Helper()
	rows, err := a.rows(export)
	if err != nil {
		a.t.Fatal(err)
	}
	var lines strings.Builder
	for _, row := range rows {
		fmt.Fprintln(&lines, row[0])
	}
	cmd := exec.Command(needBinary(a.t), "verify", "-")
	cmd.Stdin = strings.NewReader(lines.String())
	out, _ := cmd.CombinedOutput()
	return string(out), cmd.ProcessState.ExitCode()
}

// sqlBlocks returns the blocks of SQL in a page.
func sqlBlocks(t *testing.T, page string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(docs, page))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, b[1])
	}
	return blocks
}

// sqliteRows runs a query and returns its rows as texts, with null for NULL.
func sqliteRows(db *sql.DB, text string) (list [][]string, err error) {
	rows, err := db.Query(text)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		row := make([]string, len(columns))
		for i, v := range values {
			if row[i] = v.String; !v.Valid {
				row[i] = null
			}
		}
		list = append(list, row)
	}
	return list, rows.Err()
}

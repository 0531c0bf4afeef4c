package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// archive is docs/archive/archive.py at work.
type archive struct {
	t      *testing.T
	broker *mosquitto
	file   string
	cmd    *exec.Cmd
	log    syncBuffer
}

func newArchive(t *testing.T, m *mosquitto) *archive {
	t.Helper()
	if err := exec.Command("/usr/bin/python3", "-c", "import paho.mqtt.client").Run(); err != nil {
		t.Skip("paho-mqtt is not installed")
	}
	a := &archive{t: t, broker: m, file: filepath.Join(t.TempDir(), "archive.db")}
	t.Cleanup(func() {
		a.kill()
		if t.Failed() {
			t.Logf("archive.py: %s", &a.log)
		}
	})
	return a
}

// start starts it and waits until it has subscribed.
func (a *archive) start() {
	a.t.Helper()
	const subscribed = "Sending SUBACK to archive"
	before := strings.Count(a.broker.log.String(), subscribed)
	a.cmd = exec.Command("/usr/bin/python3", filepath.Join(docs, "archive/archive.py"), "127.0.0.1:"+a.broker.port, a.file)
	a.cmd.Stderr = &a.log
	if err := a.cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	eventually(a.t, 10*time.Second, "the archive has subscribed", func() bool { return strings.Count(a.broker.log.String(), subscribed) > before })
}

func (a *archive) kill() {
	if a.cmd != nil {
		_ = a.cmd.Process.Kill()
		_ = a.cmd.Wait()
		a.cmd = nil
	}
}

func (a *archive) open() *sql.DB {
	a.t.Helper()
	db, err := sql.Open("sqlite3", "file:"+a.file+"?mode=ro")
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { db.Close() })
	return db
}

// TestArchive: 10,000 readings that waited and live ones, over kills of the gateway and of the
// archive and a restart of the broker, stand in the archive once each, with the values and times
// that were sent, and the queries of docs/verify.md find nothing missing.
func TestArchive(t *testing.T) {
	t.Parallel()
	m := newMosquitto(t, "allow_anonymous true", "log_type all")
	a := newArchive(t, m)
	a.start()
	c := collect(t, m.url())
	g := newGateway(t, m.url(), waveSensor)
	g.fill(5000, "a", "b")
	db := a.open()
	count := func(where string) (n int) {
		_ = db.QueryRow("SELECT count(*) FROM readings WHERE " + where).Scan(&n) // nothing while it is written to
		return n
	}
	g.running()
	eventually(t, 30*time.Second, "readings arrive", func() bool { return count("sensor IN ('a', 'b')") > 1000 })
	a.kill()
	g.kill()
	g.running()
	g.online()
	a.start()
	m.stop()
	m.start()
	eventually(t, 60*time.Second, "the backlog arrives", func() bool { return count("sensor IN ('a', 'b')") == 10000 })
	live := count("sensor = 'wave'")
	eventually(t, 30*time.Second, "live readings arrive", func() bool { return count("sensor = 'wave'") > live+20 })
	g.online()
	g.stop()
	c.until(t, "status", `"offline"`)

	sent := map[string]string{}
	for _, line := range c.take() {
		topic, payload, _ := strings.Cut(line, " ")
		var d struct {
			Run, Sensor string
			Readings    []struct {
				Seq    uint64
				TS     string
				Fields map[string]any
			}
		}
		if !strings.Contains(topic, "/telemetry/") {
			continue
		}
		if err := json.Unmarshal([]byte(payload), &d); err != nil {
			t.Fatal(err)
		}
		for _, r := range d.Readings {
			sent[fmt.Sprint(d.Run, " ", d.Sensor, " ", r.Seq)] = fmt.Sprint(r.TS, r.Fields)
		}
	}
	eventually(t, 20*time.Second, "the archive has everything", func() bool { return count("1 = 1") >= len(sent) })
	rows, err := db.Query("SELECT run, sensor, seq, ts, fields FROM readings")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	kept := map[string]string{}
	for rows.Next() {
		var run, sensor, fields string
		var seq uint64
		var ts sql.NullString
		if err := rows.Scan(&run, &sensor, &seq, &ts, &fields); err != nil {
			t.Fatal(err)
		}
		var values map[string]any
		if err := json.Unmarshal([]byte(fields), &values); err != nil {
			t.Fatal(err)
		}
		key := fmt.Sprint(run, " ", sensor, " ", seq)
		if kept[key] != "" {
			t.Errorf("%s is there twice", key)
		}
		kept[key] = fmt.Sprint(ts.String, values)
	}
	if len(sent) < 10020 || !reflect.DeepEqual(sent, kept) {
		t.Errorf("%d readings were sent, %d are kept", len(sent), len(kept))
	}
	t.Logf("%d readings, each once", len(kept))

	text, err := os.ReadFile(filepath.Join(docs, "verify.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	for i, b := range blocks[1:] {
		if got := query(t, db, b[1]); len(got) > 0 {
			t.Errorf("query %d finds %v", i+1, got)
		}
	}
}

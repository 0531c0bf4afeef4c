package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// telegraf is the real program with a recipe of docs/consumers.
type telegraf struct {
	t       *testing.T
	program string
	broker  *mosquitto
	file    string
	cmd     *exec.Cmd
	log     syncBuffer
	kept    func() map[string]kept
}

// needTelegraf returns the program, or skips.
func needTelegraf(t *testing.T) string {
	t.Helper()
	if program, err := filepath.Abs("../../bin/telegraf"); err == nil {
		if _, err := os.Stat(program); err == nil {
			return program
		}
	}
	program, err := exec.LookPath("telegraf")
	if err != nil {
		t.Skip("Telegraf is not installed: NOTHING IS PROVEN of its recipes; make bin/telegraf")
	}
	return program
}

// newTelegraf prepares a recipe, in which the addresses are replaced, or skips.
func newTelegraf(t *testing.T, m *mosquitto, recipe string, addresses ...string) *telegraf {
	t.Helper()
	program := needTelegraf(t)
	text, err := os.ReadFile(filepath.Join(consumers, recipe))
	if err != nil {
		t.Fatal(err)
	}
	c := string(text)
	addresses = append(addresses, "broker.example.com:1883", "127.0.0.1:"+m.port)
	for i := 0; i < len(addresses); i += 2 {
		if !strings.Contains(c, addresses[i]) {
			t.Fatalf("%s does not have %s", recipe, addresses[i])
		}
		c = strings.ReplaceAll(c, addresses[i], addresses[i+1])
	}
	g := &telegraf{t: t, program: program, broker: m, file: filepath.Join(t.TempDir(), recipe)}
	if err := os.WriteFile(g.file, []byte(c), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		g.kill()
		if t.Failed() {
			t.Logf("Telegraf: %s", &g.log)
		}
	})
	return g
}

func (g *telegraf) start() {
	g.t.Helper()
	const subscribed = "Sending SUBACK to telegraf"
	before := strings.Count(g.broker.log.String(), subscribed)
	connected := strings.Count(g.broker.log.String(), "Sending CONNACK to telegraf")
	g.cmd = exec.Command(g.program, "--config", g.file)
	g.cmd.Stderr, g.cmd.Stdout = &g.log, &g.log
	if err := g.cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	// It does not subscribe again if the broker has its session.
	eventually(g.t, 20*time.Second, "Telegraf has subscribed", func() bool {
		log := g.broker.log.String()
		return strings.Count(log, subscribed) > before || before > 0 && strings.Count(log, "Sending CONNACK to telegraf") > connected
	})
}

func (g *telegraf) kill() {
	if g.cmd != nil {
		_ = g.cmd.Process.Kill()
		_ = g.cmd.Wait()
		g.cmd = nil
	}
}

// without takes the database away until Telegraf has failed to write to it.
func (g *telegraf) without(stop, start func()) func() {
	return func() {
		g.t.Helper()
		stop()
		failed := func() int { return strings.Count(g.log.String(), "Error writing to outputs.") }
		before := failed()
		eventually(g.t, 30*time.Second, "Telegraf cannot write", func() bool { return failed() > before })
		start()
	}
}

func (g *telegraf) readings() map[string]kept { return g.kept() }

// journeySensors are the tables and measurements of a journey in the format influx.
var journeySensors = []string{"a", "b", "thin", "wave"}

// identified takes the identity out of the fields of a row, and the means' count with it. A row
// without its identity is being written.
func identified(t *testing.T, all map[string]kept, sensor string, at time.Time, row map[string]any) {
	t.Helper()
	if row["run"] == nil || row["seq"] == nil {
		return
	}
	k := kept{ms: at.UnixMilli(), fields: map[string]any{}}
	for name, v := range row {
		switch name {
		case "time", "gateway", "run", "seq", "seq_to", "n":
		default:
			if v != nil {
				k.fields[name] = v
			}
		}
	}
	key := fmt.Sprint(row["run"], " ", sensor, " ", row["seq"])
	if _, ok := all[key]; ok || row["gateway"] != "gw" {
		t.Errorf("%s is there twice, or of another gateway: %v", key, row)
	}
	all[key] = k
}

// TestTelegrafInfluxDB: a journey arrives in InfluxDB through Telegraf.
func TestTelegrafInfluxDB(t *testing.T) {
	t.Parallel()
	m := newMosquitto(t, "allow_anonymous true", "log_type all")
	needTelegraf(t)
	db := newInfluxd(t)
	g := newTelegraf(t, m, "telegraf-influxdb.conf", "http://127.0.0.1:8086", db.base, `database = "fieldgate"`, `database = "fg"`)
	g.kept = func() map[string]kept { return db.all(t) }
	j := newJourney(t, m, "format = \"influx\"\n")
	j.during = g.without(db.kill, db.start)
	j.run(g, kept.flat)
}

// all returns everything that the database has of a journey.
func (i *influxd) all(t *testing.T) map[string]kept {
	t.Helper()
	all := map[string]kept{}
	for _, sensor := range journeySensors {
		query := url.Values{"db": {"fg"}, "epoch": {"ns"}, "q": {fmt.Sprintf(`SELECT * FROM %q`, sensor)}}
		r, err := http.Get(i.base + "/query?" + query.Encode())
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			Results []struct {
				Series []struct {
					Columns []string
					Values  [][]any
				}
			}
		}
		d := json.NewDecoder(r.Body)
		d.UseNumber()
		err = d.Decode(&answer)
		r.Body.Close()
		if err != nil || len(answer.Results) != 1 {
			t.Fatalf("query: %v, %+v", err, answer)
		}
		for _, s := range answer.Results[0].Series {
			for _, v := range s.Values {
				row := map[string]any{}
				for c, name := range s.Columns {
					row[name] = asFloat(t, name, v[c])
				}
				at, err := v[0].(json.Number).Int64()
				if err != nil {
					t.Fatal(err)
				}
				identified(t, all, sensor, time.Unix(0, at), row)
			}
		}
	}
	return all
}

// asFloat makes a float64 of a number that is no part of the identity.
func asFloat(t *testing.T, name string, v any) any {
	t.Helper()
	n, ok := v.(json.Number)
	if !ok || name == "seq" || name == "time" {
		return v
	}
	return asNumber(t, n.String())
}

// TestTelegrafPostgreSQL: a journey arrives in PostgreSQL through Telegraf.
func TestTelegrafPostgreSQL(t *testing.T) {
	t.Parallel()
	m := newMosquitto(t, "allow_anonymous true", "log_type all")
	needTelegraf(t)
	p := newPostgres(t)
	g := newTelegraf(t, m, "telegraf-postgresql.conf", "host=127.0.0.1 port=5432 user=telegraf dbname=readings", p.dsn())
	g.kept = func() map[string]kept {
		all := map[string]kept{}
		for _, sensor := range journeySensors {
			rows, err := p.rows(fmt.Sprintf("SELECT extract(epoch FROM time), row_to_json(x) FROM %q x", sensor))
			if err != nil {
				continue // there is no such table yet
			}
			for _, r := range rows {
				var row map[string]any
				d := json.NewDecoder(strings.NewReader(r[1]))
				d.UseNumber()
				if err := d.Decode(&row); err != nil {
					t.Fatal(err)
				}
				for name, v := range row {
					row[name] = asFloat(t, name, v)
				}
				identified(t, all, sensor, time.UnixMicro(int64(asNumber(t, r[0])*1e6+0.5)), row)
			}
		}
		return all
	}
	j := newJourney(t, m, "format = \"influx\"\n")
	j.during = g.without(func() { p.crash("wave") }, p.start)
	j.run(g, kept.flat)
}

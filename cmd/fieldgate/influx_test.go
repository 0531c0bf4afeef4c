package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/mqtt"
)

// influxd is a real InfluxDB 1.x on free loopback ports.
type influxd struct {
	t             *testing.T
	base          string
	program, file string
	cmd           *exec.Cmd
}

// newInfluxd starts the server with an empty database fg, or skips.
func newInfluxd(t *testing.T) *influxd {
	t.Helper()
	program, err := exec.LookPath("influxd")
	if err != nil {
		t.Skip("InfluxDB is not installed: NOTHING IS PROVEN of format influx against the real server; apt-get install influxdb")
	}
	dir, ports := t.TempDir(), [2]string{}
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ports[i] = l.Addr().String()
		l.Close()
	}
	file := filepath.Join(dir, "influxdb.conf")
	text := fmt.Sprintf("reporting-disabled = true\nbind-address = %q\n[meta]\ndir = \"%s/meta\"\n[data]\ndir = \"%s/data\"\nwal-dir = \"%s/wal\"\n[http]\nbind-address = %q\nlog-enabled = false\n",
		ports[0], dir, dir, dir, ports[1])
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	i := &influxd{t: t, base: "http://" + ports[1], program: program, file: file}
	t.Cleanup(i.kill)
	i.start()
	return i
}

func (i *influxd) start() {
	i.t.Helper()
	i.cmd = exec.Command(i.program, "-config", i.file)
	if err := i.cmd.Start(); err != nil {
		i.t.Fatal(err)
	}
	eventually(i.t, 20*time.Second, "influxd answers", func() bool {
		r, err := http.Post(i.base+"/query?q="+url.QueryEscape("CREATE DATABASE fg"), "", nil)
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
}

func (i *influxd) kill() {
	_ = i.cmd.Process.Kill()
	_ = i.cmd.Wait()
}

// write stores lines, and returns what the server says if it does not take all of them.
func (i *influxd) write(lines []byte) error {
	r, err := http.Post(i.base+"/write?db=fg&precision=ns", "text/plain; charset=utf-8", strings.NewReader(string(lines)))
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusNoContent {
		text, _ := io.ReadAll(r.Body)
		return fmt.Errorf("%s: %s, for %.300s", r.Status, text, lines)
	}
	return nil
}

// A stored is one reading as the database has it.
type stored struct {
	ms    int64
	value string
}

// readings returns what the database has of a sensor, by run and seq, and how many points.
func (i *influxd) readings(sensor string) (all map[string]stored, points int) {
	i.t.Helper()
	query := url.Values{"db": {"fg"}, "epoch": {"ns"}, "q": {fmt.Sprintf(`SELECT run, seq, value, gateway FROM %q`, sensor)}}
	r, err := http.Get(i.base + "/query?" + query.Encode())
	if err != nil {
		i.t.Fatal(err)
	}
	defer r.Body.Close()
	var answer struct {
		Results []struct {
			Series []struct{ Values [][]any }
			Error  string
		}
	}
	d := json.NewDecoder(r.Body)
	d.UseNumber()
	if err := d.Decode(&answer); err != nil || len(answer.Results) != 1 || answer.Results[0].Error != "" {
		i.t.Fatalf("query: %v, %+v", err, answer)
	}
	all = map[string]stored{}
	for _, s := range answer.Results[0].Series {
		for _, v := range s.Values {
			at, err := v[0].(json.Number).Int64()
			if err != nil || v[4] != "gw" {
				i.t.Fatalf("point %v: %v", v, err)
			}
			points++
			all[fmt.Sprint(v[1], " ", v[2])] = stored{at / 1e6, fmt.Sprint(v[3])}
		}
	}
	return all, points
}

// TestInfluxDB brings more than 10,000 readings over an outage, a kill -9 while offline, another
// while they are delivered, and a receiver that writes each message twice, into a real InfluxDB:
// each is there once, with the time and the value that the queue had before.
func TestInfluxDB(t *testing.T) {
	const wanted = 10000
	db := newInfluxd(t)
	m := newMosquitto(t)
	var failed atomic.Pointer[error]
	var messages atomic.Int64
	listen(t, m.url(), func(msg *mqtt.Message) {
		if !strings.Contains(msg.Topic, "/telemetry/") {
			return
		}
		if messages.Add(1); msg.ContentType != "text/plain; charset=utf-8" {
			err := fmt.Errorf("content type %q", msg.ContentType)
			failed.Store(&err)
		}
		for range 2 {
			if err := db.write(msg.Payload); err != nil {
				failed.Store(&err)
			}
		}
	})
	m.stop()
	sensors := map[string]string{"walk": "shape = \"walk\"\nnoise = 0.001", "wave.2": "offset = 1e-7", "count_3": "shape = \"counter\"", "flat-4": "shape = \"constant\"\noffset = 5.0"}
	rest := "[telemetry]\nformat = \"influx\"\nlabels = true\n[buffer]\nmax_loss = \"0s\"\n"
	for name, options := range sensors {
		rest += fmt.Sprintf("[[sensor]]\nname = %q\ndriver = \"sim\"\nevery = \"2ms\"\nlabels = { site = 'a b, c=\"d\" \\e' }\n[sensor.options]\n%s\n", name, options)
	}
	g := newGateway(t, m.url(), rest)
	waiting := func(n int64) func() bool {
		return func() bool { s, err := g.ask(); return err == nil && s.Health.Queue.Live+s.Health.Queue.Backlog >= n }
	}
	g.running()
	eventually(t, 60*time.Second, "half of it waits", waiting(wanted/2))
	g.kill()
	g.running()
	eventually(t, 60*time.Second, "all of it waits", waiting(wanted))

	truth := map[string]map[string]stored{}
	text, code := g.command("queue", "export", "-c", g.path("fieldgate.toml"))
	if code != 0 {
		t.Fatalf("export: %d, %.300s", code, text)
	}
	n := 0
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		var d struct {
			Run, Sensor string
			Readings    []struct {
				Seq    json.Number
				TS     time.Time
				Fields struct{ Value json.Number }
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &d); err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		for _, r := range d.Readings {
			if truth[d.Sensor] == nil {
				truth[d.Sensor] = map[string]stored{}
			}
			truth[d.Sensor][d.Run+" "+r.Seq.String()] = stored{r.TS.UnixMilli(), r.Fields.Value.String()}
			n++
		}
	}
	if n < wanted || len(truth) != len(sensors) {
		t.Fatalf("%d readings of %d sensors were exported", n, len(truth))
	}

	m.start()
	eventually(t, 30*time.Second, "delivery has begun", func() bool { return messages.Load() > 3 })
	g.kill()
	g.running()
	eventually(t, 60*time.Second, "the backlog is delivered", func() bool {
		s, err := g.ask()
		return err == nil && s.Health.Link.Connected && s.Health.Queue.Backlog == 0
	})
	if g.stop() != 0 {
		t.Error("the gateway did not stop in order")
	}
	eventually(t, 60*time.Second, "all of it is in the database", func() bool {
		if err := failed.Load(); err != nil {
			t.Fatalf("a message was not as it should be: %v", *err)
		}
		left := n
		for sensor := range sensors {
			all, _ := db.readings(sensor)
			for id := range truth[sensor] {
				if _, ok := all[id]; ok {
					left--
				}
			}
		}
		return left == 0
	})
	for sensor := range sensors {
		all, points := db.readings(sensor)
		if points != len(all) {
			t.Errorf("%s: %d points of %d readings", sensor, points, len(all))
		}
		for id, want := range truth[sensor] {
			if got := all[id]; got.ms != want.ms || asNumber(t, got.value) != asNumber(t, want.value) {
				t.Fatalf("%s %s: want %+v, got %+v", sensor, id, want, got)
			}
		}
		t.Logf("%s: %d readings before the line came back, %d points in all", sensor, len(truth[sensor]), points)
	}
}

func asNumber(t *testing.T, text string) float64 {
	t.Helper()
	f, err := json.Number(text).Float64()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

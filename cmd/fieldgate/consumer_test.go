package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/bucket"
	"github.com/fieldgate/fieldgate/internal/clock"
	"github.com/fieldgate/fieldgate/internal/compress"
	"github.com/fieldgate/fieldgate/internal/event"
	"github.com/fieldgate/fieldgate/internal/reading"
)

// consumers is the folder of the recipes, which the tests use as they are but for addresses.
var consumers = filepath.Join(docs, "consumers")

// A consumer is a program that takes readings from a broker, started by its recipe.
type consumer interface {
	start() // returns once it has subscribed
	kill()
	// readings returns what it has kept, by run, sensor and seq. A reading that it has twice is an
	// error.
	readings() map[string]kept
}

// kept is one reading as a consumer has it.
type kept struct {
	ms     int64 // since 1970; 0 if the time is not known
	fields map[string]any
}

// A journey is 10,000 readings that wait in a gateway and live ones, on their way to a consumer:
// half of the fields that can be bad are, some readings have no value at all, some are means
// (when_full = "thin"), some have no time.
type journey struct {
	t      *testing.T
	broker *mosquitto
	g      *gatewayRig
	c      *collector
	truth  map[string]kept // what waits, as `queue export` prints it
	during func()          // done on the way, once the consumer is back
}

const (
	journeyEach = 5000 // of each of two sensors
	journeyOld  = 500  // without a time
)

func newJourney(t *testing.T, m *mosquitto, telemetry string) *journey {
	t.Helper()
	j := &journey{t: t, broker: m, c: collect(t, m.url())}
	j.g = newGateway(t, m.url(), "[telemetry]\nbatch_max = 50\n"+telemetry+waveSensor)
	j.fill(strings.Contains(telemetry, `"influx"`))
	return j
}

// fill makes the store of a gateway that was away, in three runs.
func (j *journey) fill(influx bool) {
	j.t.Helper()
	kernel, err := clock.KernelBoot()
	if err != nil {
		j.t.Fatal(err)
	}
	run := func(o buffer.Options, every time.Duration, n func(s *buffer.Store, i int) bool, sensors ...string) {
		o.MaxLoss, o.Machine, o.Gateway = time.Second, "m", "gw"
		o.First = func(p buffer.Previous, store string, boot uint32) (string, []byte) {
			body, err := event.Boot(p, store, boot, "test", time.Second)
			if err != nil {
				panic(err) // a struct of strings and numbers
			}
			return event.Events, body
		}
		s, err := buffer.Open(j.t.Context(), j.g.path("queue.db"), o)
		if err != nil {
			j.t.Fatal(err)
		}
		for i := 0; n(s, i); i++ {
			if i%100 == 0 { // a full store is seen by a commit
				if err := s.Flush(j.t.Context()); err != nil {
					j.t.Fatal(err)
				}
			}
			for _, sensor := range sensors {
				if _, err := s.Append(j.t.Context(), buffer.Readings, sensor, time.Duration(i)*every, journeyBody(sensor, i)); err != nil {
					j.t.Fatal(err)
				}
			}
		}
		if err := s.Close(j.t.Context()); err != nil {
			j.t.Fatal(err)
		}
	}
	upTo := func(n int) func(*buffer.Store, int) bool { return func(_ *buffer.Store, i int) bool { return i < n } }
	run(buffer.Options{KernelBoot: kernel, MaxBytes: buffer.MinMaxBytes, WhenFull: buffer.Thin, Thin: bucket.Thin}, time.Second,
		func(s *buffer.Store, _ int) bool { return s.Stats().Thinned < 600 }, "thin")
	run(buffer.Options{KernelBoot: kernel}, 5*time.Millisecond, upTo(journeyEach), "a", "b")
	if !influx { // which would leave them in the store
		run(buffer.Options{KernelBoot: "an earlier one"}, 5*time.Millisecond, upTo(journeyOld), "old")
	}
}

// journeyBody is what a sensor measures the i-th time. That of "thin" fills a store soon.
func journeyBody(sensor string, i int) []byte {
	temperature, mode := drivers.Float("temperature", 20+float64(i)/7), "eco, \"quiet\""
	switch {
	case i%97 == 5:
		return reading.Append(nil, []drivers.Value{drivers.Bad("temperature", "crc"), drivers.Bad("count", "not measured")})
	case i%10 == 3:
		temperature = drivers.Bad("temperature", "range")
	}
	if sensor == "thin" {
		r := rand.New(rand.NewPCG(uint64(i), 0))
		for range 40 {
			mode += strconv.FormatUint(r.Uint64(), 36)
		}
	}
	return reading.Append(nil, []drivers.Value{temperature, drivers.Int("count", int64(i)), drivers.Bool("door", i%3 == 0), drivers.String("mode", mode)})
}

// exported returns what waits in the store, by run, sensor and seq.
func (j *journey) exported() map[string]kept {
	j.t.Helper()
	text, code := j.g.command("queue", "export", "-c", j.g.path("fieldgate.toml"))
	if code != exitDone {
		j.t.Fatalf("export: %d, %.300s", code, text)
	}
	all := map[string]kept{}
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		for key, k := range documentReadings(j.t, lines.Bytes()) {
			all[key] = k
		}
	}
	return all
}

// documentReadings reads a document of telemetry in the format json.
func documentReadings(t *testing.T, text []byte) map[string]kept {
	t.Helper()
	var d struct {
		Run, Sensor string
		Readings    []struct {
			Seq    uint64
			TS     *time.Time
			Fields map[string]any
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatalf("%v: %.300s", err, text)
	}
	all := map[string]kept{}
	for _, r := range d.Readings {
		k := kept{fields: r.Fields}
		if r.TS != nil {
			k.ms = r.TS.UnixMilli()
		}
		all[fmt.Sprint(d.Run, " ", d.Sensor, " ", r.Seq)] = k
	}
	return all
}

// flat returns the fields as formats without null and without nesting have them.
func (k kept) flat() kept {
	fields := map[string]any{}
	for name, v := range k.fields {
		switch v := v.(type) {
		case nil:
		case map[string]any:
			for of, number := range v {
				fields[name+"_"+of] = number
			}
		default:
			fields[name] = v
		}
	}
	return kept{k.ms, fields}
}

// run takes the readings over an outage, kill -9 of the gateway and of the consumer, and a
// repetition of messages, and checks that the consumer has each of them once. form makes of what
// was measured what the consumer keeps.
func (j *journey) run(c consumer, form func(kept) kept) {
	j.t.Helper()
	began := time.Now()
	c.start()
	j.broker.stop()
	j.g.running()
	j.truth = j.exported()
	maps.DeleteFunc(j.truth, func(key string, _ kept) bool { return strings.Contains(key, " wave ") }) // a kill may cost what is in RAM
	j.broker.start()
	buckets, timeless := 0, 0
	for key, k := range j.truth {
		if k.ms == 0 {
			timeless++
		}
		if strings.Contains(key, " thin ") && k.fields["temperature"] != nil {
			if _, ok := k.fields["temperature"].(map[string]any); ok {
				buckets++
			}
		}
	}
	if len(j.truth) < 2*journeyEach || buckets == 0 {
		j.t.Fatalf("%d readings wait, %d of them means", len(j.truth), buckets)
	}
	arrived := func() (n int) {
		for key := range c.readings() {
			if _, ok := j.truth[key]; ok {
				n++
			}
		}
		return n
	}
	eventually(j.t, 60*time.Second, "delivery has begun", func() bool { return j.late() > 0 })
	j.g.kill()
	eventually(j.t, 60*time.Second, "readings arrive", func() bool { return arrived() > 0 })
	early := arrived()
	c.kill()
	delivered := j.late()
	j.g.running()
	j.g.online()
	j.broker.stop()
	j.broker.start()
	j.c.connected(j.t)
	c.start()
	again := arrived()
	eventually(j.t, 30*time.Second, "it takes what waits in its session", func() bool { return arrived() > again || again == len(j.truth) })
	c.kill()
	c.start()
	if j.during != nil {
		j.during()
	}
	end := time.Now().Add(30 * time.Second)
	for arrived() < len(j.truth) && time.Now().Before(end) {
		time.Sleep(100 * time.Millisecond)
	}
	if n := arrived(); n < len(j.truth) {
		all := c.readings()
		var missing []string
		for key := range j.truth {
			if _, ok := all[key]; !ok {
				missing = append(missing, key)
			}
		}
		slices.Sort(missing)
		j.t.Errorf("of %d readings that waited %d did not arrive; %d were delivered and %d of these kept at the kills; %v",
			len(j.truth), len(missing), delivered, early, missing[:min(10, len(missing))])
		return
	}

	repeated := 0
	sent := j.c.take()
	for _, line := range sent {
		topic, payload, _ := strings.Cut(line, " ")
		if repeated < 20 && strings.Contains(topic, "/telemetry/") {
			repeated++
			cmd := exec.Command("mosquitto_pub", "-V", "5", "-p", j.broker.port, "-q", "1", "-t", topic, "-s")
			cmd.Stdin = strings.NewReader(payload)
			if out, err := cmd.CombinedOutput(); err != nil {
				j.t.Fatalf("mosquitto_pub: %v, %s", err, out)
			}
		}
	}
	waves := func() (n int) {
		for key := range c.readings() {
			if strings.Contains(key, " wave ") {
				n++
			}
		}
		return n
	}
	live := waves()
	eventually(j.t, 60*time.Second, "live readings arrive after the repetition", func() bool { return waves() > live+20 })
	j.g.online()
	if j.g.stop() != exitDone {
		j.t.Error("the gateway did not stop in order")
	}
	j.c.until(j.t, "status", `"offline"`)

	want := map[string]kept{}
	for key, k := range j.truth {
		want[key] = form(k)
	}
	for _, line := range append(sent, j.c.take()...) {
		topic, payload, _ := strings.Cut(line, " ")
		if strings.HasSuffix(topic, "/telemetry/wave") || strings.HasSuffix(topic, "/telemetry/wave/late") {
			maps.Copy(want, waveReadings(j.t, payload, form))
		}
	}
	var all map[string]kept
	var wrong []string
	for end := time.Now().Add(time.Minute); ; {
		all = c.readings()
		if wrong = differences(want, all); len(wrong) == 0 || time.Now().After(end) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if len(wrong) > 0 {
		j.t.Errorf("%d readings are wrong:\n%.5000s", len(wrong), strings.Join(wrong[:min(10, len(wrong))], "\n"))
	}
	j.t.Logf("%d readings, %d of them waited, %d are means, %d have no time; %d were delivered and %d of these kept at the kills; %d messages repeated; %v",
		len(all), len(j.truth), buckets, timeless, delivered, early, repeated, time.Since(began).Round(time.Second))
}

// late counts the readings in the messages of the backlog so far.
func (j *journey) late() (n int) {
	j.t.Helper()
	for _, line := range j.c.peek() {
		if topic, payload, _ := strings.Cut(line, " "); strings.HasSuffix(topic, "/late") {
			text, err := compress.Decode([]byte(payload), 1<<20)
			if err != nil {
				j.t.Fatal(err)
			}
			n += strings.Count(string(text), `"seq":`) + strings.Count(string(text), ",seq=")
		}
	}
	return n
}

// differences lists what is missing, different or too much, in order.
func differences(want, got map[string]kept) (list []string) {
	for key, k := range want {
		if g, ok := got[key]; !ok {
			list = append(list, key+" is missing")
		} else if !same(g, k) {
			list = append(list, fmt.Sprintf("%s: want %v, got %v", key, k, g))
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			list = append(list, key+" was not sent")
		}
	}
	slices.Sort(list)
	return list
}

// same compares what consumers keep in types of their own.
func same(a, b kept) bool {
	if a.ms != b.ms || len(a.fields) != len(b.fields) {
		return false
	}
	for name, v := range a.fields {
		w, ok := b.fields[name]
		if !ok || fmt.Sprint(v) != fmt.Sprint(w) {
			return false
		}
	}
	return true
}

// waveLine is a line of the sensor "wave" in the format influx.
var waveLine = regexp.MustCompile(`^wave,gateway=gw value=([^,]+),seq=(\d+)i,run="(\w+)" (\d+)$`)

// waveReadings reads a message of the sensor "wave", in the format json or influx.
func waveReadings(t *testing.T, payload string, form func(kept) kept) map[string]kept {
	t.Helper()
	text, err := compress.Decode([]byte(payload), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]kept{}
	if text[0] == '{' {
		for key, k := range documentReadings(t, text) {
			all[key] = form(k)
		}
		return all
	}
	for line := range strings.Lines(string(text)) {
		m := waveLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			t.Fatalf("line %q", line)
		}
		value, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		at, err := strconv.ParseInt(m[4], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		all[m[3]+" wave "+m[2]] = form(kept{at / 1e6, map[string]any{"value": value}})
	}
	return all
}

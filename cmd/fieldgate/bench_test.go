package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/mqtt"
)

// BenchmarkStart is the time from the start of the process to the arrival of the first reading at a
// subscriber, with a new store and with one that has run before.
func BenchmarkStart(b *testing.B) {
	for _, again := range []bool{false, true} {
		b.Run(map[bool]string{false: "new-store", true: "used-store"}[again], func(b *testing.B) {
			needBinary(b)
			m := newMosquitto(b)
			runs := make(chan string, 1) // of readings; what finds no room is not the first one
			listen(b, m.url(), func(msg *mqtt.Message) {
				if strings.HasPrefix(msg.Topic, "fieldgate/gw/telemetry/") {
					select {
					case runs <- runOf(msg.Payload):
					default:
					}
				}
			})
			g := newGateway(b, m.url(), "[[sensor]]\nname = \"wave\"\ndriver = \"sim\"\nevery = \"1ms\"\n")
			seen := map[string]bool{}
			b.ResetTimer()
			for range b.N {
				b.StopTimer()
				if !again {
					for _, name := range []string{"queue.db", "queue.db-wal", "queue.db.ballast"} {
						_ = os.Remove(g.path(name))
					}
				}
				b.StartTimer()
				g.start()
				run := <-runs
				for seen[run] { // it was on its way when the gateway before was killed
					run = <-runs
				}
				b.StopTimer()
				seen[run] = true
				g.kill()
				b.StartTimer()
			}
		})
	}
}

// runOf returns what is the same in all batches of readings of one run and in no other: the
// identity without the sensor.
func runOf(payload []byte) string {
	text, _, _ := strings.Cut(string(payload), `,"sensor"`)
	return text
}

// figures are what a benchmark measured, by unit.
type figures map[string]float64

// runOnce is b.Run for work that takes long and ignores b.N. Go calls the function of a benchmark
// with a b.N of 1 and again with what -benchtime asks for: the second call reports the figures of
// the first.
func runOnce(b *testing.B, name string, work func(b *testing.B) figures) {
	var measured figures
	b.Run(name, func(b *testing.B) {
		if measured == nil {
			measured = work(b)
		}
		for unit, figure := range measured {
			b.ReportMetric(figure, unit)
		}
		b.ReportMetric(0, "ns/op")
	})
}

// BenchmarkMemory is the resident memory of a gateway that has run for a while: online with 10 and
// 1,000 readings a second, and offline with 1,000.
func BenchmarkMemory(b *testing.B) {
	for _, load := range []struct {
		name, every string
		offline     bool
	}{{"online-10-per-s", "100ms", false}, {"online-1000-per-s", "1ms", false}, {"offline-1000-per-s", "1ms", true}} {
		runOnce(b, load.name, func(b *testing.B) figures {
			m := newMosquitto(b)
			if load.offline {
				m.stop()
			}
			g := newGateway(b, m.url(), fmt.Sprintf("[[sensor]]\nname = \"board\"\ndriver = \"host\"\nevery = \"1s\"\n[[sensor]]\nname = \"wave\"\ndriver = \"sim\"\nevery = %q\n", load.every))
			g.running()
			peak := 0
			for range 20 {
				time.Sleep(500 * time.Millisecond)
				peak = max(peak, g.resident())
			}
			s, err := g.ask()
			if err != nil {
				b.Fatal(err)
			}
			return figures{"peak-MiB": float64(peak) / 1024, "flash-B/reading": float64(s.Health.Flash.Bytes) / float64(max(s.Health.Queue.Appended, 1))}
		})
	}
}

// BenchmarkDrain is what a gateway of its own costs while it drains 400,000 readings of ten sensors
// through mosquitto: as shipped, without a limit of memory, and without any setting of the
// collector. They take turns, two rounds; -benchtime has no say.
func BenchmarkDrain(b *testing.B) {
	const backlog = 400_000
	sensors := ""
	for i := range 10 {
		sensors += fmt.Sprintf("[[sensor]]\nname = \"s%d\"\ndriver = \"sim\"\nevery = \"1ms\"\n", i)
	}
	g := newGateway(b, "mqtt://127.0.0.1:1", sensors)
	g.running()
	eventually(b, 2*time.Minute, "the backlog is there", func() bool { s, err := g.ask(); return err == nil && s.Health.Queue.Appended >= backlog })
	if code := g.stop(); code != exitDone {
		b.Fatalf("exit code %d", code)
	}
	copyStore(b, g.path("queue.db"), g.path("backlog"))
	m := newMosquitto(b)
	g.configure(m.url(), strings.ReplaceAll(sensors, "every", "enabled = false\nevery"))
	settings := []struct {
		name string
		env  []string
	}{{"as-shipped", nil}, {"no-limit", []string{"GOMEMLIMIT=off"}}, {"no-limit-GOGC-100", []string{"GOMEMLIMIT=off", "GOGC=100"}}}
	cpu, peak := map[string]float64{}, map[string]int{}
	const rounds = 2
	for range rounds {
		for _, set := range settings {
			copyStore(b, g.path("backlog"), g.path("queue.db"))
			g.env = set.env
			g.running()
			delivered := uint64(0)
			eventually(b, time.Minute, "the backlog is drained", func() bool {
				s, err := g.ask()
				delivered = s.Health.Queue.Delivered
				return err == nil && delivered >= backlog && s.Health.Queue.Backlog+s.Health.Queue.Live == 0
			})
			peak[set.name] = max(peak[set.name], g.memory("VmHWM:"))
			state := g.cmd
			if code := g.stop(); code != exitDone {
				b.Fatalf("exit code %d", code)
			}
			used := state.ProcessState.UserTime() + state.ProcessState.SystemTime()
			cpu[set.name] += float64(used.Microseconds()) / float64(delivered) / rounds
		}
	}
	for _, set := range settings {
		b.Run(set.name, func(b *testing.B) {
			b.ReportMetric(cpu[set.name], "CPU-µs/reading")
			b.ReportMetric(float64(peak[set.name])/1024, "peak-MiB")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// resident returns the resident memory of the process in KiB.
func (g *gatewayRig) resident() int { return g.memory("VmRSS:") }

// memory returns a figure of the process's memory in KiB.
func (g *gatewayRig) memory(figure string) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.cmd.Process.Pid))
	if err != nil {
		g.t.Fatal(err)
	}
	var kib int
	_, rest, _ := strings.Cut(string(text), figure)
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		g.t.Fatal(err)
	}
	return kib
}

// listen subscribes to everything of fieldgate's until the test ends.
func listen(t testing.TB, broker string, message func(*mqtt.Message)) {
	t.Helper()
	c, err := mqtt.New(mqtt.Config{URLs: []string{broker}, ClientID: "witness", ReceiveMaximum: 1000,
		Backoff:       mqtt.Backoff{Min: 100 * time.Millisecond, Max: 500 * time.Millisecond},
		Subscriptions: []mqtt.Subscription{{Filter: "fieldgate/#", QoS: mqtt.AtLeastOnce}},
		Handler:       func(_ context.Context, m *mqtt.Message) error { message(m); return nil }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = c.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	eventually(t, 5*time.Second, "the witness is connected", func() bool { return c.Stats().Connected })
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/payload"
	payloadjson "github.com/fieldgate/fieldgate/internal/payload/json"
	"github.com/fieldgate/fieldgate/internal/reading"
	"github.com/fieldgate/fieldgate/mqtt"
)

// fillStore makes a store with a backlog of n sensors and returns the configuration that reads
// them.
func fillStore(b *testing.B, g *gatewayRig, sensors, backlog int, every string) string {
	b.Helper()
	text := ""
	for i := range sensors {
		text += fmt.Sprintf("[[sensor]]\nname = \"s%d\"\ndriver = \"sim\"\nevery = %q\n", i, every)
	}
	g.configure("mqtt://127.0.0.1:1", text)
	g.running()
	eventually(b, 5*time.Minute, "the backlog is there", func() bool {
		s, err := g.ask()
		return err == nil && s.Health.Queue.Appended >= uint64(backlog)
	})
	if code := g.stop(); code != exitDone {
		b.Fatalf("exit code %d", code)
	}
	copyStore(b, g.path("queue.db"), g.path("backlog"))
	return strings.ReplaceAll(text, "every", "enabled = false\nevery")
}

// BenchmarkSlowLink is a backlog through a line of 100 ms round trip to a broker that takes 20
// messages unacknowledged, beside a live sensor of 10 readings a second: readings a second, CPU
// time of the gateway for each, its peak of resident memory, and how late the live readings arrive
// (the 50 ms of the way included).
func BenchmarkSlowLink(b *testing.B) {
	for _, load := range []struct {
		sensors int
		every   string
	}{{10, "1ms"}, {100, "10ms"}} {
		runOnce(b, fmt.Sprintf("sensors=%d", load.sensors), func(b *testing.B) figures {
			const backlog = 400_000
			m := newMosquitto(b, "allow_anonymous true", "max_inflight_messages 20")
			late := &lateness{}
			listen(b, m.url(), late.note)
			line := newDelayLine(b, "127.0.0.1:"+m.port, 50*time.Millisecond)
			g := newGateway(b, m.url(), "")
			sensors := fillStore(b, g, load.sensors, backlog, load.every)
			g.configure(line.url(), sensors+"[[sensor]]\nname = \"live\"\ndriver = \"sim\"\nevery = \"100ms\"\n")
			g.running()
			g.online()
			began := time.Now()
			var delivered uint64
			eventually(b, 5*time.Minute, "the backlog is drained", func() bool {
				time.Sleep(200 * time.Millisecond) // asking costs the gateway too
				s, err := g.ask()
				delivered = s.Health.Queue.Delivered
				return err == nil && delivered >= backlog && s.Health.Queue.Backlog == 0
			})
			took, peak, state := time.Since(began), g.memory("VmHWM:"), g.cmd
			p99 := late.percentile(99)
			if code := g.stop(); code != exitDone {
				b.Fatalf("exit code %d", code)
			}
			used := state.ProcessState.UserTime() + state.ProcessState.SystemTime()
			return figures{"readings/s": float64(delivered) / took.Seconds(), "CPU-µs/reading": float64(used.Microseconds()) / float64(delivered),
				"peak-MiB": float64(peak) / 1024, "live-p99-ms": float64(p99.Milliseconds())}
		})
	}
}

// lateness is how late live readings arrive.
type lateness struct {
	mu   sync.Mutex
	list []time.Duration
}

func (l *lateness) note(m *mqtt.Message) {
	if m.Topic != "fieldgate/gw/telemetry/live" {
		return
	}
	now := time.Now()
	var t contract.Telemetry
	if json.NewDecoder(bytes.NewReader(m.Payload)).Decode(&t) != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range t.Readings {
		l.list = append(l.list, now.Sub(r.TS.Time))
	}
}

func (l *lateness) percentile(p int) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) == 0 {
		return -1
	}
	slices.Sort(l.list)
	return l.list[(len(l.list)-1)*p/100]
}

// BenchmarkBare is what the drain's CPU time is to be compared with: rendering its messages, and
// publishing messages that are rendered already through the same line, for each reading.
func BenchmarkBare(b *testing.B) {
	const batch, readings = 500, 400_000
	values := payload.Batch{Gateway: "gw", Run: "3f9c61a2b07d", Sensor: "s0"}
	for i := range batch {
		at := time.Unix(1_795_000_000, 0).Add(time.Duration(i) * time.Millisecond)
		values.Readings = append(values.Readings, payload.Reading{Seq: uint64(i) + 1000, Time: at, Body: reading.Append(nil, []drivers.Value{drivers.Float("value", 0.123*float64(i))})})
	}
	var text []byte
	runOnce(b, "render", func(b *testing.B) figures {
		encoder := new(payloadjson.Encoder)
		before := cpuTime(b)
		for range readings / batch {
			var err error
			if text, err = encoder.Append(text[:0], &values); err != nil {
				b.Fatal(err)
			}
		}
		return figures{"CPU-µs/reading": float64((cpuTime(b) - before).Microseconds()) / readings}
	})
	runOnce(b, "publish", func(b *testing.B) figures {
		m := newMosquitto(b, "allow_anonymous true", "max_inflight_messages 20")
		connected := make(chan bool, 1)
		c, err := mqtt.New(mqtt.Config{URLs: []string{m.url()}, ClientID: "bare", OnEvent: func(e mqtt.Event) {
			if e.Kind == mqtt.Connected {
				connected <- true
			}
		}})
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		<-connected
		before, done := cpuTime(b), make(chan error, readings/batch)
		for range readings / batch {
			if err := c.Send(&mqtt.Message{Topic: "fieldgate/gw/telemetry/s0/late", QoS: 1, Payload: text}, func(_ mqtt.PublishResult, err error) { done <- err }); err != nil {
				b.Fatal(err)
			}
		}
		for range readings / batch {
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		}
		used := cpuTime(b) - before
		cancel()
		<-ended
		return figures{"CPU-µs/reading": float64(used.Microseconds()) / readings}
	})
}

// cpuTime returns the CPU time of this process.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

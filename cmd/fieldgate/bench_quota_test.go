package main

import (
	"encoding/json"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// The limits of the platform "aws", for one connection in any second.
const quotaMessages, quotaBytes = 100, 512_000

// BenchmarkQuota is a backlog that drains to a broker that discards what exceeds the quota of the
// platform "aws", as that does, beside a live sensor of 10 readings a second and with a connection
// that breaks: how many messages were discarded, messages and bytes a second and the greater share
// of their limit while there was a connection, and how late live readings arrive. One reading in a
// message makes the messages the limit; 500 make the bytes. For comparison it shows how late a
// timer of 10 ms is meanwhile: the gateway leaves one message of the limit unused, which is 10 ms.
func BenchmarkQuota(b *testing.B) {
	for _, tt := range []struct {
		name, batch, every string
		backlog            int
	}{{"messages", "1", "10ms", 3000}, {"bytes", "500", "1ms", 200_000}} {
		runOnce(b, tt.name, func(b *testing.B) figures {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			broker := mqtttest.New(mqtttest.Behavior{MaxMessages: quotaMessages, MaxBytes: quotaBytes,
				Properties: packet.Properties{Present: packet.Props(packet.PropReceiveMaximum), ReceiveMaximum: 100}})
			broker.Serve(l)
			b.Cleanup(broker.Close)
			g := newGateway(b, "mqtt://127.0.0.1:1", "")
			sensors := fillStore(b, g, 10, tt.backlog, tt.every)
			g.configure("mqtt://"+l.Addr().String(), "[cloud]\nplatform = \"aws\"\n[telemetry]\nbatch_max = "+tt.batch+"\n"+sensors+
				"[[sensor]]\nname = \"live\"\ndriver = \"sim\"\nevery = \"100ms\"\n")
			g.running()
			g.online()
			timers := timerLateness(10 * time.Second) // of the drain
			cut := time.Now()
			broker.Cut()
			// A discarded message stays in the backlog until the connection ends.
			backlog, since := tt.backlog, time.Now()
			eventually(b, time.Minute, "the backlog is drained", func() bool {
				time.Sleep(200 * time.Millisecond) // asking costs the gateway too
				s, err := g.ask()
				if err == nil && int(s.Health.Queue.Backlog) != backlog {
					backlog, since = int(s.Health.Queue.Backlog), time.Now()
				}
				return err == nil && (backlog == 0 || time.Since(since) > 5*time.Second)
			})
			if code := g.stop(); code != exitDone {
				b.Errorf("exit code %d", code)
			}
			f := drained(b, broker.Published(), cut)
			f["discarded"], f["timer-p99-ms"] = float64(broker.Discarded()), milliseconds(timers, 99)
			return f
		})
	}
}

// drained returns the figures of a drain whose connection broke once, from its first message to the
// last of the backlog. Live readings count from 5 s after the connection broke.
func drained(b *testing.B, published []mqtttest.Publication, cut time.Time) figures {
	late := func(p mqtttest.Publication) bool { return strings.HasSuffix(p.Topic, "/late") }
	last := len(published) - 1
	for ; last >= 0 && !late(published[last]); last-- {
	}
	again := slices.IndexFunc(published, func(p mqtttest.Publication) bool { return p.At.After(cut) && p.Connection != published[0].Connection })
	if again < 0 || last < again {
		b.Fatalf("the drain was over before the connection broke: %d messages, the last of the backlog is %d, the first after it %d", len(published), last, again)
	}
	took := published[last].At.Sub(published[0].At) - published[again].At.Sub(cut)
	bytes := 0
	var lateness []time.Duration
	for _, p := range published[:last+1] {
		bytes += p.Size()
		if p.Topic != "fieldgate/gw/telemetry/live" || p.At.Sub(cut) < 5*time.Second {
			continue
		}
		var t contract.Telemetry
		if err := json.Unmarshal(p.Payload, &t); err != nil {
			b.Fatal(err)
		}
		for _, r := range t.Readings {
			lateness = append(lateness, p.At.Sub(r.TS.Time))
		}
	}
	if len(lateness) == 0 {
		b.Fatal("no live reading arrived beside the backlog")
	}
	messagesRate, bytesRate := float64(last+1)/took.Seconds(), float64(bytes)/took.Seconds()
	return figures{"messages/s": messagesRate, "bytes/s": bytesRate, "of-limit": max(messagesRate/quotaMessages, bytesRate/quotaBytes),
		"live-p99-ms": milliseconds(lateness, 99), "live-max-ms": milliseconds(lateness, 100)}
}

// timerLateness sets timers of 10 ms, one after another, and returns how late they were.
func timerLateness(d time.Duration) (late []time.Duration) {
	const timer = 10 * time.Millisecond
	for began := time.Now(); time.Since(began) < d; {
		set := time.Now()
		time.Sleep(timer)
		late = append(late, time.Since(set)-timer)
	}
	return late
}

// milliseconds returns a percentile.
func milliseconds(of []time.Duration, percentile int) float64 {
	slices.Sort(of)
	return float64(of[(len(of)-1)*percentile/100].Microseconds()) / 1000
}

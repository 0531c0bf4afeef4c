package uplink

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/compress"
	"github.com/fieldgate/fieldgate/internal/reading"
)

// commit appends readings of several sensors in turns, and has them stored in many segments.
func (r *rig) commit(sensors, each int) {
	r.t.Helper()
	for i := range each {
		for s := range sensors {
			body := reading.Append(nil, []drivers.Value{drivers.Int("n", int64(i))})
			if _, err := r.store.Append(r.t.Context(), buffer.Readings, fmt.Sprint("s", s), time.Duration(i)*time.Second, body); err != nil {
				r.t.Fatal(err)
			}
		}
		if i%10 == 9 {
			if err := r.store.Flush(r.t.Context()); err != nil {
				r.t.Fatal(err)
			}
		}
	}
}

// TestBatchesCrossSegments: readings of ten sensors in many segments go out in full messages.
func TestBatchesCrossSegments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.BatchMax = 500 })
		r.commit(10, 2000)
		r.uplink.SetLink(Link{Up: true, Window: 20})
		sizes, messages := map[string][]int{}, 0
		for flights := r.settled(); len(flights) > 0; flights = r.settled() {
			for _, f := range flights {
				sizes[f.Topic] = append(sizes[f.Topic], strings.Count(string(f.Payload), `"seq":`))
				messages++
			}
			ack(flights, 0)
		}
		full := 0
		for topic, list := range sizes {
			n := 0
			for _, readings := range list {
				n += readings
				if readings >= 400 {
					full++
				}
			}
			if n != 2000 {
				t.Errorf("%s: %v are %d readings, want 2000", topic, list, n)
			}
		}
		// The first messages are small because the line is not known yet.
		if full < messages/2 || messages > 70 {
			t.Errorf("%d messages, %d of them nearly full: %v", messages, full, sizes)
		}
		if left := r.close(); left != 0 {
			t.Errorf("%d are left", left)
		}
	})
}

// TestHighPriorityBeforeAnyNormal: that messages are filled from many segments does not put a full
// message of a lower priority before one of a higher priority that is not full.
func TestHighPriorityBeforeAnyNormal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.BatchMax = 100 })
		r.high = "s1"
		r.again(func(c *Config) { c.BatchMax = 100 })
		r.commit(2, 150)
		r.uplink.SetLink(Link{Up: true, Window: 20})
		var order []string
		for flights := r.settled(); len(flights) > 0; flights = r.settled() {
			for _, f := range flights {
				order = append(order, f.Topic)
			}
			ack(flights, 0)
		}
		normal := false
		for _, topic := range order {
			if strings.Contains(topic, "/s0/") {
				normal = true
			} else if normal {
				t.Fatalf("high after normal: %v", order)
			}
		}
		r.close()
	})
}

// TestLinger: live readings wait for company for as long as they may, and no longer; a full message
// does not wait; what lingers when the link breaks waits in the store.
func TestLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.maxLoss = time.Hour
		r.again(func(c *Config) {
			c.Linger = func(sensor string) time.Duration { return map[string]time.Duration{"a": time.Minute}[sensor] }
		})
		r.uplink.SetLink(Link{Up: true, Window: 20})
		synctest.Wait()
		began := time.Now()
		for range 5 {
			r.measure("a", 1)
			r.measure("b", 1)
			time.Sleep(10 * time.Second)
		}
		flights := r.settled()
		r.want("telemetry/b 1-1, telemetry/b 2-2, telemetry/b 3-3, telemetry/b 4-4, telemetry/b 5-5", flights)
		ack(flights, 0)
		time.Sleep(time.Minute + time.Millisecond - time.Since(began))
		flights = r.settled()
		r.want("telemetry/a 1-5", flights)
		ack(flights, 0)
		r.measure("a", 150) // of 100 each
		flights = r.settled()
		r.want("telemetry/a 6-105", flights)
		ack(flights, 0)
		synctest.Wait()
		r.uplink.SetLink(Link{})
		synctest.Wait()
		r.uplink.SetLink(Link{Up: true, Window: 20})
		flights = r.settled()
		r.want("telemetry/a/late 106-155", flights)
		ack(flights, 0)
		if left := r.close(); left != 0 {
			t.Errorf("%d are left", left)
		}
	})
}

// TestWhatContinuesIsLive: after an orderly leave what was taken since is live, in order with what
// follows; after an outage it is late.
func TestWhatContinuesIsLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.uplink.SetLink(Link{Up: true, Window: 20})
		synctest.Wait()
		for i, continues := range []bool{true, false} {
			r.uplink.SetLink(Link{})
			synctest.Wait()
			r.measure("a", 3)
			if err := r.store.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.uplink.SetLink(Link{Up: true, Window: 20, Continues: continues})
			flights := r.settled()
			r.want([]string{"telemetry/a 1-3", "telemetry/a/late 4-6"}[i], flights)
			ack(flights, 0)
			synctest.Wait()
		}
		r.close()
	})
}

// TestLingeringReadingsExpire: what is ready to go and finds no room goes back to the store, which
// removes what is older than its ttl, as it does without linger.
func TestLingeringReadingsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.ttl = time.Hour + 5*time.Minute // readings are an hour old when they come
		r.again(func(c *Config) { c.Linger = func(string) time.Duration { return time.Minute } })
		r.uplink.SetLink(Link{Up: true, Window: 1})
		synctest.Wait()
		for _, tt := range []struct {
			blocked time.Duration
			then    string
			expired uint64
		}{{3 * time.Minute, "telemetry/a 1-3", 0}, {10 * time.Minute, "", 3}} {
			r.measure("a", 3)
			synctest.Wait() // they wait for company
			r.happen("sensor")
			flights := r.settled()
			r.want("events/sensor", flights)
			time.Sleep(tt.blocked)
			ack(flights, 0)
			flights = r.settled()
			r.want(tt.then, flights)
			ack(flights, 0)
			synctest.Wait()
			if s := r.store.Stats(); s.Expired != tt.expired {
				t.Errorf("after %v: %d readings expired", tt.blocked, s.Expired)
			}
		}
		r.close()
	})
}

// TestDrainDelay: the backlog waits after a connection, live readings and events do not.
func TestDrainDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.DrainDelay = func() time.Duration { return time.Minute } })
		r.measure("a", 3)
		r.uplink.SetLink(Link{Up: true, Window: 20})
		synctest.Wait()
		r.measure("a", 1)
		r.happen("sensor")
		flights := r.settled()
		if got := show(flights); got != "events/sensor, telemetry/a 4-4" && got != "telemetry/a 4-4, events/sensor" {
			t.Errorf("got %q", got)
		}
		ack(flights, 0)
		time.Sleep(20 * time.Second)
		if wait := r.uplink.BacklogWait(); wait != 40*time.Second {
			t.Errorf("the backlog waits for another %v, want 40s", wait)
		}
		time.Sleep(40*time.Second - time.Millisecond)
		r.want("", r.settled())
		time.Sleep(2 * time.Millisecond)
		flights = r.settled()
		r.want("telemetry/a/late 1-3", flights)
		if wait := r.uplink.BacklogWait(); wait != 0 {
			t.Errorf("the backlog waits for another %v", wait)
		}
		ack(flights, 0)
		r.close()
	})
}

// TestCompressed: telemetry that gets smaller is compressed and says so; what does not is sent as
// it is, and so is whatever is no telemetry. A limit is compared with what is sent.
func TestCompressed(t *testing.T) {
	for _, word := range []string{"gzip", "zstd"} {
		synctest.Test(t, func(t *testing.T) {
			c, err := compress.New(word)
			if err != nil {
				t.Fatal(err)
			}
			r := newRig(t, func(u *Config) {
				u.BatchMax, u.Compressor, u.MessageMax = 1000, c, 1500
				u.Last = func(string) bool { return true }
			})
			r.measure("a", 1000)
			r.uplink.SetLink(Link{Up: true, Window: 20})
			r.happen("sensor")
			n, largest := 0, 0
			for flights := r.settled(); len(flights) > 0; flights = r.settled() {
				for _, f := range flights {
					largest = max(largest, f.size())
					text := f.Payload
					if strings.Contains(f.Topic, "telemetry") {
						if text, err = compress.Decode(f.Payload, 1<<20); err != nil {
							t.Fatal(err)
						}
						n += strings.Count(string(text), `"seq":`)
						if small := len(f.Payload) < len(text); small != (f.Encoding == word) || small == bytes.Equal(text, f.Payload) {
							t.Errorf("%d bytes as %q, %d before", len(f.Payload), f.Encoding, len(text))
						}
					} else if f.Encoding != "" {
						t.Errorf("%s is compressed", f.Topic)
					}
					if !json.Valid(text) {
						t.Errorf("%s: %q", f.Topic, text)
					}
				}
				ack(flights, 0)
			}
			if n != 1000 || largest > 1500 || largest < 1000 {
				t.Errorf("%d readings, the largest message has %d bytes", n, largest)
			}
			r.close()
		})
	}
}

// TestLiveIsNotStarvedByEvents: while events keep the window full, live readings go in between.
func TestLiveIsNotStarvedByEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.uplink.SetLink(Link{Up: true, Window: 4})
		synctest.Wait()
		for range 60 {
			r.happen("sensor")
		}
		r.measure("a", 1)
		for sent := 0; ; {
			flights := r.settled()
			if len(flights) == 0 {
				t.Fatal("the live reading was not sent")
			}
			if strings.Contains(show(flights), "telemetry/a") {
				break
			}
			if sent += len(flights); sent > 20 {
				t.Fatalf("%d events went first", sent)
			}
			ack(flights[:1], 0)
			r.broker.put(flights[1:])
		}
		r.close()
	})
}

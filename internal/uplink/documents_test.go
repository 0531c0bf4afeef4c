package uplink

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
)

// TestDocumentLargerThanAllowed: it is not sent, is named with the remedy, and keeps nothing else
// from being sent.
func TestDocumentLargerThanAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.DocumentMax = 1024 })
		r.uplink.SetLink(Link{Up: true, Window: 20})
		synctest.Wait()
		r.uplink.Set("fieldgate/g/health", make([]byte, 2000), nil)
		r.uplink.Set("fieldgate/g/shadow/reported", make([]byte, 500), nil)
		r.measure("a", 1)
		flights := r.settled()
		for _, f := range flights {
			if f.Topic == "fieldgate/g/health" {
				t.Errorf("%d bytes are sent", f.size())
			}
		}
		ack(flights, 0)
		list := r.uplink.Refusals()
		if len(flights) != 2 || len(list) != 1 || !strings.Contains(list[0].Why, "more than mqtt.message_max allows") {
			t.Errorf("%s; %+v", show(flights), list)
		}
		if r.uplink.room(Link{}) != 0 {
			t.Error("a limit was learned from what was not sent")
		}
		r.uplink.Set("fieldgate/g/health", make([]byte, 600), nil)
		r.close()
	})
}

// asked counts how often the uplink asks the store for more.
type asked struct {
	Queue
	takes atomic.Int64
}

func (c *asked) TakePins(dst []buffer.Pin, lane buffer.Lane, most, mostBytes int) []buffer.Pin {
	c.takes.Add(1)
	return c.Queue.TakePins(dst, lane, most, mostBytes)
}

// TestNewestReadingsDoNotPoll: while the first P/last is unacknowledged, the others wait for that.
func TestNewestReadingsDoNotPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q *asked
		r := newRig(t, func(c *Config) {
			q = &asked{Queue: c.Queue}
			c.Queue, c.Last = q, func(string) bool { return true }
		})
		r.uplink.SetLink(Link{Up: true, Window: 20})
		synctest.Wait()
		r.measure("a", 1)
		r.measure("b", 1)
		var last []flight
		for _, f := range r.settled() {
			if strings.Contains(f.Topic, "/last/") {
				last = append(last, f)
			} else {
				f.done(0, nil)
			}
		}
		synctest.Wait()
		before := q.takes.Load()
		time.Sleep(10 * time.Second)
		if n := q.takes.Load() - before; n > 20 {
			t.Errorf("the uplink looked %d times in 10 s", n)
		}
		r.want("last/a 1-1", last)
		ack(last, 0)
		r.want("last/b 1-1", r.settled())
		r.close()
	})
}

// TestDocumentsDoNotGoBeforeReadings: only P/status does, since what waits for a rate goes by
// priority.
func TestDocumentsDoNotGoBeforeReadings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.uplink.SetLink(Link{Up: true, Window: 20})
		synctest.Wait()
		r.uplink.Set("fieldgate/g/health", []byte("{}"), nil)
		r.uplink.Set("fieldgate/g/status", []byte("{}"), nil)
		r.measure("a", 1)
		got := map[string]int{}
		for _, f := range r.settled() {
			got[strings.TrimPrefix(f.Topic, "fieldgate/g/")] = f.Priority
		}
		if got["status"] <= got["telemetry/a"] || got["health"] != got["telemetry/a"] || len(got) != 3 {
			t.Errorf("%v", got)
		}
		r.close()
	})
}

package uplink

import (
	"strings"
	"testing"
	"testing/synctest"
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

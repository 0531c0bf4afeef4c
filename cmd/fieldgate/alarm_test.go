package main

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/mqtt"
)

// TestAlarm: raised while the broker is away, it arrives once; a kill and a new start raise it no
// second time; a limit that is removed clears it.
func TestAlarm(t *testing.T) {
	m := newMosquitto(t)
	var mu sync.Mutex
	type alarm struct {
		contract.EventHead
		contract.AlarmEvent
	}
	var events []alarm // each once: after a kill the broker may be given one again
	listen(t, m.url(), func(msg *mqtt.Message) {
		if !strings.HasSuffix(msg.Topic, "/events/"+contract.EventAlarm) {
			return
		}
		var e alarm
		if err := json.Unmarshal(msg.Payload, &e); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if !slices.ContainsFunc(events, func(o alarm) bool { return o.Run == e.Run && o.N == e.N }) {
			events = append(events, e)
		}
	})
	states := func() string {
		mu.Lock()
		defer mu.Unlock()
		var list []string
		for _, e := range events {
			list = append(list, e.State)
		}
		return strings.Join(list, " ")
	}
	m.stop()
	g := newGateway(t, m.url(), waveSensor+"[sensor.field.value]\nrename = \"level\"\nalarm_above = -1000\n")
	g.running()
	raised := func() bool {
		s, err := g.ask()
		return err == nil && len(s.Health.Alarms) == 1 && strings.Contains(s.Health.Alarms[0], "level of sensor wave ")
	}
	eventually(t, 10*time.Second, "health has the alarm", raised)
	if text, code := g.command("status", "-c", g.path("fieldgate.toml")); code != exitDone || !strings.Contains(text, "alarm ") || !strings.Contains(text, "above -1000 (alarm_above)") {
		t.Errorf("status: exit code %d\n%s", code, text)
	}
	m.start()
	eventually(t, 10*time.Second, "the alarm arrives", func() bool { return states() == "raised" })
	g.kill()
	g.running()
	eventually(t, 10*time.Second, "health has the alarm again", raised)
	g.online()
	g.configure(m.url(), waveSensor)
	if text, code := g.command("reload", "-c", g.path("fieldgate.toml")); code != exitDone {
		t.Fatalf("reload: exit code %d: %s", code, text)
	}
	eventually(t, 10*time.Second, "the alarm is cleared", func() bool { return strings.HasSuffix(states(), "cleared") })
	if got := states(); got != "raised cleared" {
		t.Errorf("got %q", got)
	}
	if e := events[0]; e.Alarm != "limit" || e.Sensor != "wave" || e.Field != "level" || e.Value == nil {
		t.Errorf("%+v", e)
	}
}

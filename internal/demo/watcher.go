package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/internal/compress"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/control"
	"github.com/fieldgate/fieldgate/internal/verify"
	"github.com/fieldgate/fieldgate/mqtt"
)

// watcher is the subscriber on the cloud's side: it knows only what arrives.
type watcher struct {
	client *mqtt.Client
	local  *control.Client // the gateway's control socket: what only it can know while the link is cut

	mu      sync.Mutex
	tracker *verify.Tracker
	sensors map[string]*row
	fields  map[string]map[string]contract.Field // of each sensor, as its description says
	health  contract.Health                      // as it arrived
	queue   contract.Health                      // as the gateway has it
	status  string
	first   *contract.Previous // how the first run ended, as the second one reports
	late    int                // readings that came on a late topic
	failed  error              // the first message that could not be read
}

// row is the newest reading of a sensor.
type row struct {
	field, value string
	unit         string
	seq          uint64
	taken        time.Time
	late         bool
	total, lates int
}

// maxPayload is the largest payload, in bytes, once it is not compressed.
const maxPayload = 16 << 20

func newWatcher(broker string) (*watcher, error) {
	w := &watcher{tracker: verify.New(), sensors: map[string]*row{}, fields: map[string]map[string]contract.Field{}}
	var err error
	w.client, err = mqtt.New(mqtt.Config{
		URLs: []string{"mqtt://" + broker}, ClientID: "demo-subscriber", ReceiveMaximum: 1000,
		Subscriptions: []mqtt.Subscription{{Filter: "fieldgate/#", QoS: mqtt.AtLeastOnce}},
		Handler:       func(_ context.Context, m *mqtt.Message) error { w.message(m.Topic, m.Payload); return nil },
	})
	return w, err
}

// pollQueue asks the gateway itself how full its queue is.
func (w *watcher) pollQueue(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, frame)
	defer cancel()
	if s, err := w.local.Status(ctx); err == nil {
		w.mu.Lock()
		w.queue = s.Health
		w.mu.Unlock()
	}
}

func (w *watcher) message(topic string, payload []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.tracker.Message(topic, payload); err != nil && w.failed == nil {
		w.failed = err
	}
	levels := strings.Split(topic, "/")[2:] // fieldgate/<id>/…
	var err error
	switch levels[0] {
	case "telemetry":
		if payload, err = compress.Decode(payload, maxPayload); err == nil {
			err = w.telemetry(payload, len(levels) == 3)
		}
	case "sensors":
		var s contract.Sensor
		err = json.Unmarshal(payload, &s)
		w.fields[s.Sensor] = s.Fields
	case "health":
		w.health = contract.Health{}
		err = json.Unmarshal(payload, &w.health)
	case "status":
		var s contract.Status
		err = json.Unmarshal(payload, &s)
		w.status = s.State
	case "events":
		if levels[1] == contract.EventBoot {
			var e contract.BootEvent
			err = json.Unmarshal(payload, &e)
			if e.Previous != nil {
				w.first = e.Previous
			}
		}
	}
	if err != nil && w.failed == nil {
		w.failed = err
	}
}

func (w *watcher) telemetry(payload []byte, late bool) error {
	var m struct {
		Sensor   string `json:"sensor"`
		Readings []struct {
			Seq    uint64          `json:"seq"`
			TS     contract.Time   `json:"ts"`
			Fields json.RawMessage `json:"fields"`
		} `json:"readings"`
	}
	if err := json.Unmarshal(payload, &m); err != nil {
		return err
	}
	r := w.sensors[m.Sensor]
	if r == nil {
		r = &row{}
		w.sensors[m.Sensor] = r
	}
	n := len(m.Readings)
	r.total += n
	if late {
		r.lates += n
		w.late += n
	}
	newest := m.Readings[n-1]
	if newest.Seq < r.seq {
		return nil
	}
	r.seq, r.taken, r.late = newest.Seq, newest.TS.Time, late
	var err error
	r.field, r.value, err = first(newest.Fields)
	r.unit = w.fields[m.Sensor][r.field].Unit
	return err
}

// first returns the first field that could be measured, in the driver's order, as the table shows
// it.
func first(fields json.RawMessage) (field, value string, err error) {
	d := json.NewDecoder(bytes.NewReader(fields))
	if _, err := d.Token(); err != nil {
		return "", "", err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return "", "", err
		}
		var v any
		if err := d.Decode(&v); err != nil {
			return "", "", err
		}
		if v != nil {
			return fmt.Sprint(name), show(v), nil
		}
	}
	return "", "–", nil
}

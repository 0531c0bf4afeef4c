package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/clock"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/credential"
	"github.com/fieldgate/fieldgate/internal/event"
	"github.com/fieldgate/fieldgate/internal/health"
	"github.com/fieldgate/fieldgate/internal/sampling"
)

const (
	tick      = time.Second
	lossEvery = 5 * time.Second // ranges grow together before they are told
)

// housekeep does what time brings: the clock, the loss ledger, health, the watchdog.
func (g *Gateway) housekeep(ctx context.Context) error {
	every := tick
	if w := g.Notify.WatchdogInterval(); w > 0 {
		every = min(every, w)
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	_, known := g.clock.Now()
	degraded, trouble, open := false, "", g.store.IsOpen()
	waits := g.clock.Pending()
	if waits {
		g.Log.Info("nothing is sent yet: the clock is not set", "wait", g.clock.Wait().Round(time.Second),
			"ends", "when NTP sets the clock, or after gateway.wait_for_clock; with gateway.trust_clock = true at once")
	}
	var opened buffer.Opened
	var lossAt time.Duration
	var pace health.Pace
	for {
		g.Notify.Watchdog()
		if !open && g.store.IsOpen() {
			open = true
			g.storeOpened()
		}
		if !known {
			g.learn()
			_, known = g.clock.Now()
		}
		if waits && !g.clock.Pending() {
			if waits = false; !known {
				g.Log.Warn("readings go without a time: the clock was not set within gateway.wait_for_clock")
			}
		}
		up := g.clock.Up()
		if up >= lossAt {
			lossAt = up + lossEvery
			text := ""
			if err := g.journal.Losses(ctx); err != nil {
				if text = err.Error(); text != trouble {
					g.Log.Warn("the loss ledger cannot be told", "err", err)
				}
			}
			trouble = text
		}
		if err := g.store.Stats().Degraded; (err != nil) != degraded {
			degraded = err != nil
			e := contract.StoreEvent{State: contract.StoreOK}
			if degraded {
				e = contract.StoreEvent{State: contract.StoreDegraded, Detail: err.Error()}
			}
			g.journal.Add(contract.EventStore, e)
			pace.Soon()
		}
		was := opened
		opened = g.store.Opened()
		for _, e := range event.OfStore(was, opened) {
			g.journal.Add(contract.EventStore, e)
		}
		if pace.Due(up, time.Duration(g.healthEvery.Load())) {
			g.tellHealth()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			g.tellSensors()
			g.peerLog.Flush(ctx, false)
		case <-g.healthNow:
			pace.Soon()
		case <-g.Hangup:
			_ = g.Reload() // told in the log
		}
	}
}

// storeOpened begins anew with the store that could not be opened at the start, and with what it keeps of shadow, commands and
// session. What was measured meanwhile is stored by then, under the run of this start.
func (g *Gateway) storeOpened() {
	if err := g.clock.Keep(); err != nil {
		g.Log.Warn("the time of this power-up cannot be kept", "err", err)
	}
	g.Log.Info("the store can be opened: starting anew with what it keeps")
	g.Restart()
}

// learn asks whether the clock has become known just now, and tells so.
func (g *Gateway) learn() {
	learned, err := g.clock.Learn()
	if errors.Is(err, clock.ErrBehind) {
		g.Log.Warn("the time is not known", "err", err)
	} else if err != nil {
		g.Log.Debug("clock", "err", err) // the store tells why
	}
	if learned {
		zero, _ := g.clock.Time(g.clock.Boot(), 0)
		g.Log.Info("the time is known", "clock", g.clock.State(), "power_up", zero)
		g.journal.Add(contract.EventClock, contract.ClockEvent{Zero: contract.Time{Time: zero}, Runs: g.runs()})
		if g.uplink != nil {
			g.uplink.Wake()
		}
	}
}

// runs returns the program's runs since power-up, or this one alone where the store cannot say.
func (g *Gateway) runs() []string {
	runs, err := g.store.Runs(context.Background(), g.clock.Boot())
	if err != nil || len(runs) == 0 {
		return []string{g.store.Run()}
	}
	return runs
}

func (g *Gateway) tellHealth() {
	h := g.monitor.Snapshot()
	g.Notify.Status(health.StatusLine(h))
	text, err := json.Marshal(h)
	if err != nil {
		g.Log.Error("health", "err", err)
		return
	}
	g.uplink.Set(g.topics.Health(), text, nil)
}

// sensorChanged notes that a sensor came into another state; it must not block.
func (g *Gateway) sensorChanged(s sampling.State) {
	g.mu.Lock()
	g.changed[s.Sensor] = s
	g.mu.Unlock()
	g.healthSoon()
}

// tellSensors queues an event for every sensor whose state changed: only the newest of each second.
func (g *Gateway) tellSensors() {
	g.mu.Lock()
	changed := g.changed
	g.changed = map[string]sampling.State{}
	g.mu.Unlock()
	for _, s := range changed {
		g.journal.Add(contract.EventSensor, contract.SensorEvent{Sensor: s.Sensor, State: string(s.Condition), Error: s.Trouble()})
	}
}

// healthSoon publishes health at once: a state changed.
func (g *Gateway) healthSoon() {
	select {
	case g.healthNow <- struct{}{}:
	default:
	}
}

// figures gives the monitor what it makes snapshots of.
func (g *Gateway) figures() health.Figures {
	s, up, delivered := g.store.Stats(), g.clock.Up(), g.uplink.Stats()
	now, sync := g.clock.Now()
	f := health.Figures{
		Store: s, Run: g.store.Run(), StoreID: g.store.ID(), Boot: g.store.Boot(), Version: g.Version, Delivered: delivered.Delivered, Unrouted: delivered.Unrouted,
		Now: contract.Time{Time: now}, Up: up, ClockSync: sync, ClockWait: g.clock.Wait(), Sensors: g.sensors.States(),
		OldConfig: len(g.Problems) > 0,
	}
	g.sensors.Values(func(sensor, field, unit string, value float64) {
		f.Values = append(f.Values, health.Value{Sensor: sensor, Field: field, Unit: unit, Value: value})
	})
	f.Link, f.Trouble = g.link.Snapshot()
	for _, r := range g.uplink.Refusals() {
		f.Refused = append(f.Refused, r.Why)
	}
	if t, ok := g.clock.Time(s.OldestKernel, s.OldestUp); ok && sync && s.HasOldest {
		f.OldestAge = max(now.Sub(t), 0)
	}
	if days, ok := credential.DaysLeft(g.Config.MQTT.TLS, g.clock.ForTLS()); ok {
		f.CertDays = &days
	}
	f.Flash, f.Endurance = g.card.Usage(), int64(g.Config.Buffer.Endurance)
	return f
}

// Status implements control.Gateway.
func (g *Gateway) Status() contract.LocalStatus {
	reported, origins := g.shadow.Reported()
	return contract.LocalStatus{Gateway: g.Config.Gateway.ID, Version: g.Version, PID: os.Getpid(), Broker: g.link.Broker(), Clock: g.clock.State(), Config: g.ConfigState,
		Problem: g.Problems, Health: g.monitor.Snapshot(), Shadow: reported, Origins: origins}
}

// Tail implements control.Gateway.
func (g *Gateway) Tail(ctx context.Context, line func(contract.Telemetry) error) error {
	return g.hub.Tail(ctx, line)
}

// Reload implements control.Gateway.
func (g *Gateway) Reload() error {
	next, err := g.Check()
	if err != nil {
		g.Log.Warn("reload refused: the configuration is wrong", "err", err)
		return err
	}
	old := g.Config
	g.stays.Store(slices.Equal(next.MQTT.URLs, old.MQTT.URLs) && next.MQTT.ClientID == old.MQTT.ClientID &&
		next.Gateway.ID == old.Gateway.ID && next.Gateway.TopicPrefix == old.Gateway.TopicPrefix)
	g.askRestart()
	return nil
}

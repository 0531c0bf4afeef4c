package gateway

import (
	"context"
	"os"
	"slices"

	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/credential"
	"github.com/fieldgate/fieldgate/internal/health"
	"github.com/fieldgate/fieldgate/internal/launch"
)

// reportStatus reports a snapshot to systemd.
func (g *Gateway) reportStatus() { g.Notify.Status(health.StatusLine(g.monitor.Snapshot())) }

// publishHealth publishes a snapshot, if there is one to publish.
func (g *Gateway) publishHealth() {
	if text := g.monitor.Document(); text != nil {
		g.uplink.Set(g.topics.Health(), text, nil)
	}
}

// figures gives the monitor what it makes snapshots of.
func (g *Gateway) figures() health.Figures {
	s, up, delivered := g.store.Stats(), g.clock.Up(), g.uplink.Stats()
	now, sync := g.clock.Now()
	f := health.Figures{
		Store: s, Run: g.store.Run(), StoreID: g.store.ID(), Boot: g.store.Boot(), Version: g.Version, Delivered: delivered.Delivered, Unrouted: delivered.Unrouted, BacklogWait: g.uplink.BacklogWait(),
		Now: contract.Time{Time: now}, Up: up, ClockSync: sync, ClockWait: g.clock.Wait(), ClockDoubt: g.clock.Doubt(), NeedsTime: g.clock.Format(), Sensors: g.sensors.States(), Alarms: g.sensors.Alarms(),
		OldConfig: len(g.Problems) > 0, Limited: g.Config.MQTT.PublishRate > 0 || g.Config.MQTT.BytesRate > 0,
	}
	f.Link, f.Trouble = g.link.Snapshot()
	f.Trouble = slices.Concat(g.watch.Trouble(), g.trial.Trouble(), f.Trouble, g.uplink.Trouble(), g.dialect.Trouble(), g.files.Trouble(), g.traffic.Report(&f.Link))
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
	return contract.LocalStatus{Gateway: g.Config.Gateway.ID, Version: g.Version, Board: g.Board, System: g.System, PID: os.Getpid(), Broker: g.link.Broker(), Proxy: g.transport.Proxy(g.link.Broker()), Limits: g.link.Limits(), Clock: g.clock.State(), Config: g.ConfigState,
		Problem: g.Problems, Health: g.monitor.Snapshot(), Newest: g.sensors.Newest(), Shadow: reported, Origins: origins, Settings: launch.InForce(g.Config), Page: g.page.Where()}
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
	g.again(next.SameGateway(g.Config))
	return nil
}

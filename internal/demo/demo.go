package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/control"
	"github.com/fieldgate/fieldgate/internal/gateway"
	"github.com/fieldgate/fieldgate/internal/verify"
)

// Options are what a demo is made of.
type Options struct {
	For time.Duration // 0: until ctx ends
	Out io.Writer
	// Draw writes a control sequence for the terminal that Out is; nil: Out is not a terminal.
	Draw      func(sequence string)
	Outage    <-chan struct{} // asks for an outage
	Catalogue config.Catalogue
	Buses     drivers.Buses
	Version   string
}

const (
	outageLong = 10 * time.Second
	frame      = 250 * time.Millisecond
	drainWait  = 15 * time.Second // for the backlog at the end
)

// ErrIncomplete is the verdict that something is missing.
var ErrIncomplete = errors.New("the subscriber misses readings")

const configuration = `
[gateway]
id = "demo"
health_every = "1s"
trust_clock = true
[mqtt]
urls = ["mqtt://%s"]
reconnect_max = "2s"
[buffer]
path = %q
[control]
socket = %q
[[sensor]]
name = "this-machine"
driver = "host"
every = "1s"
[[sensor]]
name = "boiler"
driver = "sim"
every = "100ms"
[sensor.options]
field = "temperature"
unit = "Cel"
shape = "sine"
period = 200
amplitude = 8
offset = 61
noise = 0.2
[[sensor]]
name = "pump"
driver = "sim"
every = "20ms"
[sensor.options]
field = "pressure"
unit = "Pa"
shape = "square"
period = 300
amplitude = 20000
offset = 150000
noise = 400
`

// Run shows the demo and returns nil if the verdict is that nothing is missing.
func Run(ctx context.Context, o Options) error {
	dir, err := os.MkdirTemp("", "fieldgate-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	broker, address, err := startBroker()
	if err != nil {
		return fmt.Errorf("demo broker: %w", err)
	}
	defer broker.Close()
	line, err := newLink(address)
	if err != nil {
		return fmt.Errorf("demo link: %w", err)
	}
	defer line.close()
	w, err := newWatcher(address)
	if err != nil {
		return err
	}
	watching, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { _ = w.client.Run(watching) })
	defer wg.Wait()
	defer stopWatching()

	text := fmt.Sprintf(configuration, line.addr(), filepath.Join(dir, "queue.db"), filepath.Join(dir, "control.sock"))
	c, err := config.Parse([]config.Source{{Name: "demo.toml", Text: text}}, o.Catalogue)
	if err != nil {
		return err
	}
	w.local = control.NewClient(c.Control.Socket)
	d := &demo{Options: o, screen: screen{out: o.Out, draw: o.Draw}, watcher: w, link: line, config: c}
	d.screen.say("broker at mqtt://%s (topics fieldgate/demo/#), store in %s\n", address, dir)
	if err := d.show(ctx); err != nil {
		return err
	}
	return d.verdict(context.WithoutCancel(ctx))
}

func startBroker() (*mochi.Server, string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	s := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := s.AddHook(new(open), nil); err != nil {
		return nil, "", err
	}
	if err := s.AddListener(listeners.NewNet("demo", l)); err != nil {
		return nil, "", err
	}
	return s, l.Addr().String(), s.Serve()
}

// open lets everybody on this machine in.
type open struct{ mochi.HookBase }

func (*open) ID() string { return "open" }
func (*open) Provides(b byte) bool {
	return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck
}
func (*open) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }
func (*open) OnACLCheck(*mochi.Client, string, bool) bool              { return true }

type demo struct {
	Options
	screen  screen
	watcher *watcher
	link    *link
	config  *config.Config
	outages int
	flash   uint64 // bytes written while it was shown
}

// gateway runs the gateway until ctx ends.
func (d *demo) gateway(ctx context.Context) error {
	return gateway.Run(ctx, gateway.Options{Config: d.config, ConfigState: "current", Check: func() (*config.Config, error) { return d.config, nil }, Buses: d.Buses,
		Level: new(slog.LevelVar), Log: slog.New(slog.DiscardHandler), Version: d.Version})
}

// show runs the gateway with an outage in the middle and draws what arrives.
func (d *demo) show(ctx context.Context) error {
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- d.gateway(running) }() // waited for by reading ended

	began := time.Now()
	var end, cutAt, mendAt time.Time
	if d.For > 0 {
		end = began.Add(d.For)
		long := min(outageLong, d.For/3)
		cutAt = began.Add((d.For - long) / 2)
		mendAt = cutAt.Add(long)
	}
	cut := false
	tick := time.NewTicker(frame)
	defer tick.Stop()
	for {
		now := time.Now()
		switch {
		case !end.IsZero() && now.After(end):
			d.drain(ctx)
			stop()
			return <-ended
		case !cut && !cutAt.IsZero() && now.After(cutAt):
			cut, cutAt = true, time.Time{}
			d.outages++
			d.link.setCut(true)
			d.screen.say("── the link is cut for %v ──", time.Until(mendAt).Round(time.Second))
		case cut && now.After(mendAt):
			cut = false
			d.link.setCut(false)
			d.screen.say("── the link is back: the backlog arrives ──")
		}
		d.watcher.pollQueue(ctx)
		d.screen.show(d.watcher, d.headline(now.Sub(began), cut, mendAt))
		select {
		case err := <-ended:
			return err
		case <-tick.C:
		case <-d.Outage:
			if !cut {
				cutAt, mendAt = now, now.Add(outageLong)
			}
		}
	}
}

func (d *demo) headline(t time.Duration, cut bool, mendAt time.Time) string {
	state := "link up"
	if cut {
		state = fmt.Sprintf("LINK DOWN for another %v", time.Until(mendAt).Round(time.Second))
	}
	if d.For > 0 {
		return fmt.Sprintf("%v of %v · %s", t.Round(time.Second), d.For, state)
	}
	return fmt.Sprintf("%v · %s · Enter cuts the link for %v, Ctrl-C ends", t.Round(time.Second), state, outageLong)
}

// drain waits until the subscriber sees the queue empty.
func (d *demo) drain(ctx context.Context) {
	d.link.setCut(false)
	deadline := time.Now().Add(drainWait)
	for tick := time.NewTicker(frame); time.Now().Before(deadline); {
		d.watcher.mu.Lock()
		q, seen := d.watcher.health.Queue, d.watcher.health.Link.Connected
		d.watcher.mu.Unlock()
		if seen && q.Backlog == 0 && q.Live < 50 {
			return
		}
		d.watcher.pollQueue(ctx)
		d.screen.show(d.watcher, "waiting for the backlog")
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// verdict starts the gateway once more: its boot event reports how the run that was shown ended,
// and with which last reading of every sensor. What the subscriber has is held against that.
func (d *demo) verdict(ctx context.Context) error {
	d.watcher.mu.Lock()
	d.flash = d.watcher.health.Flash.Bytes
	d.watcher.mu.Unlock()
	for i := range d.config.Sensors {
		d.config.Sensors[i].Enabled = false
	}
	d.link.setCut(false)
	again, stop := context.WithTimeout(ctx, drainWait)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- d.gateway(again) }() // waited for by reading ended
	tick := time.NewTicker(frame)
	defer tick.Stop()
	for drained := false; !drained && again.Err() == nil; {
		select {
		case <-again.Done():
		case <-tick.C:
		}
		d.watcher.mu.Lock()
		q := d.watcher.health
		drained = d.watcher.first != nil && q.Boot == 2 && q.Queue.Live+q.Queue.Backlog+q.Queue.InFlight == 0
		d.watcher.mu.Unlock()
	}
	stop()
	if err := <-ended; err != nil {
		return err
	}
	return d.judge()
}

func (d *demo) judge() error {
	d.watcher.mu.Lock()
	defer d.watcher.mu.Unlock()
	if err := d.watcher.failed; err != nil {
		return err
	}
	var received, again, lost, missing, disorder uint64
	sensors := map[string]bool{}
	report := d.watcher.tracker.Report()
	for _, r := range report.Sequences {
		sensors[r.Sensor] = true
		received += r.Received
		again += r.Duplicates
		lost += r.Lost
		disorder += r.Disorder
		for _, m := range r.Missing {
			missing += m.Last - m.First + 1
			d.screen.say("missing: %s, run %s, seq %d to %d", r.Sensor, r.Run, m.First, m.Last)
		}
	}
	verdict := "COMPLETE"
	if end := d.watcher.first; report.Verdict != verify.Complete || end == nil || end.End != "clean" || len(sensors) != len(d.config.Sensors) {
		verdict = "INCOMPLETE"
	}
	d.screen.say("verdict: %s: %d readings of %d sensors arrived, %d of them late after %d outage(s); %d missing, %d in the loss ledger, %d twice, %d out of order; %s written to flash",
		verdict, received, len(sensors), d.watcher.late, d.outages, missing, lost, again, disorder, bytesText(d.flash))
	if verdict != "COMPLETE" {
		return ErrIncomplete
	}
	return nil
}

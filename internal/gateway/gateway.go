package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/bounded"
	"github.com/fieldgate/fieldgate/internal/card"
	"github.com/fieldgate/fieldgate/internal/clock"
	"github.com/fieldgate/fieldgate/internal/command"
	"github.com/fieldgate/fieldgate/internal/compress"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/control"
	"github.com/fieldgate/fieldgate/internal/credential"
	"github.com/fieldgate/fieldgate/internal/event"
	"github.com/fieldgate/fieldgate/internal/health"
	"github.com/fieldgate/fieldgate/internal/homeassistant"
	"github.com/fieldgate/fieldgate/internal/housekeeping"
	"github.com/fieldgate/fieldgate/internal/inspect"
	"github.com/fieldgate/fieldgate/internal/link"
	"github.com/fieldgate/fieldgate/internal/page"
	"github.com/fieldgate/fieldgate/internal/payload"
	"github.com/fieldgate/fieldgate/internal/payload/formats"
	"github.com/fieldgate/fieldgate/internal/payload/json"
	"github.com/fieldgate/fieldgate/internal/platform"
	"github.com/fieldgate/fieldgate/internal/platform/platforms"
	"github.com/fieldgate/fieldgate/internal/ratelog"
	"github.com/fieldgate/fieldgate/internal/rhythm"
	"github.com/fieldgate/fieldgate/internal/sensors"
	"github.com/fieldgate/fieldgate/internal/shadow"
	"github.com/fieldgate/fieldgate/internal/sizing"
	"github.com/fieldgate/fieldgate/internal/supervise"
	"github.com/fieldgate/fieldgate/internal/timefrom"
	"github.com/fieldgate/fieldgate/internal/traffic"
	"github.com/fieldgate/fieldgate/internal/transport"
	"github.com/fieldgate/fieldgate/internal/trial"
	"github.com/fieldgate/fieldgate/internal/uplink"
	"github.com/fieldgate/fieldgate/mqtt"
	"github.com/fieldgate/fieldgate/systemd"
)

// ErrRestart is what Run returns after an orderly stop that asks for a new start of the program.
var ErrRestart = errors.New("restart requested")

const (
	stopWait = 5 * time.Second // for a sensor that hangs, for the store's last commit
)

// Options are what a gateway is made of.
type Options struct {
	Config      *config.Config
	ConfigState string   // current or last-good
	Problems    []string // why the configuration is the last good one
	// Check reads the configuration as it is now; Reload asks it.
	Check                  func() (*config.Config, error)
	Buses                  drivers.Buses
	Notify                 *systemd.Notifier
	Level                  *slog.LevelVar
	Log                    *slog.Logger
	Version, Board, System string       // of the program, the machine and its operating system
	Trial                  *trial.Files // nil: the program is not on trial
	Built                  time.Time    // of the program: TLS takes no earlier time for true
	// Began is when the program started, on the clock of clock.Up: wait_for_clock counts from then,
	// also after a reload. 0: now.
	Began time.Duration
	// Started is called when the gateway does its work; nil: nobody asks.
	Started func()
	// Hangup asks for Reload; nil: never.
	Hangup <-chan os.Signal
	Page   page.Around
}

// Gateway is the running application.
type Gateway struct {
	Options
	topics   contract.Topics
	store    *buffer.Store
	card     *card.Device // below the store; nil if there is none
	clock    *clock.Clock
	timeFrom *timefrom.Source
	traffic  *traffic.Meter
	journal  *event.Journal
	presence *contract.Presence
	client   *mqtt.Client
	files    *credential.Watch
	link     *link.Link
	peers    *slog.Logger // to peerLog
	uplink   *uplink.Uplink
	announce *homeassistant.Announcer
	rhythm   *rhythm.Rhythm
	dialect  platform.Dialect
	shadow   *shadow.Shadow
	runner   *command.Runner
	monitor  *health.Monitor
	house    *housekeeping.Housekeeper
	watch    *supervise.Watch
	hub      control.Hub
	peerLog  *ratelog.Handler // for what others can make the gateway log
	sensors  *sensors.Sensors
	view     *inspect.View // of the queue
	page     *page.Page
	trial    *trial.Trial

	transport *transport.Dialer

	leaving atomic.Bool // what arrives now is for the next start
	stays   atomic.Bool // the next start is the same gateway at the same broker
	restart chan struct{}
}

// Run runs a gateway until ctx ends or a restart is asked for, and stops it in order. It returns
// nil, ErrRestart, or what went wrong.
func Run(ctx context.Context, o Options) error {
	g := &Gateway{
		Options: o, topics: link.Topics(o.Config),
		peerLog: ratelog.ForPeers(o.Log.Handler(), "op"),
		restart: make(chan struct{}, 1),
		watch:   supervise.New(supervise.Config{Feed: o.Notify.Watchdog, Every: o.Notify.WatchdogInterval(), Log: o.Log}),
	}
	if g.Began == 0 {
		g.Began = clock.Up()
	}
	defer g.watch.Start()()
	g.peers = slog.New(g.peerLog)
	err := g.open(ctx)
	if err == nil {
		err = g.build(ctx)
	}
	if err == nil {
		err = g.serve(ctx)
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = nil // stopped while it started
	}
	if g.store == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWait)
	defer cancel()
	if e := g.store.Close(ctx); e != nil && (err == nil || errors.Is(err, ErrRestart)) {
		err = fmt.Errorf("closing the store: %w", e)
	}
	return err
}

// open opens the store and learns what time it is.
func (g *Gateway) open(ctx context.Context) error {
	boot, err := clock.KernelBoot()
	if err != nil {
		return err
	}
	o := sizing.Options(g.Config)
	o.PowerUpAge = func(kernel string) (time.Duration, bool) { return g.clock.PowerUpAge(kernel) }
	o.Machine, o.Gateway, o.KernelBoot, o.Up, o.Log = config.MachineHash(), g.Config.Gateway.ID, boot, clock.Up, g.Log
	o.Beat = g.watch.Part("store").Beat
	o.First = func(p buffer.Previous, store string, boot uint32) (string, []byte) {
		body, err := event.Boot(p, store, boot, g.Version, g.Config.Buffer.MaxLoss)
		if err != nil {
			panic(err) // a struct of strings and numbers
		}
		return event.Events, body
	}
	if g.store, err = buffer.Open(ctx, g.Config.Buffer.Path, o); err != nil {
		return err
	}
	if g.card, err = card.Count(g.Config.Buffer.Path); err != nil {
		g.Log.Info("writes to the card are not counted", "err", err)
	}
	last := clock.Last(ctx, g.store)
	g.transport = transport.New(transport.Config{MQTT: g.Config.MQTT, Protocols: g.Config.Protocols, Store: g.store, Log: g.peers})
	g.timeFrom = timefrom.New(timefrom.Config{From: g.Config.Gateway.TimeFrom, Proxy: g.transport.HTTPProxy, Floor: clock.Floor(g.Built, last), Up: clock.Up, Known: func() bool { _, known := g.clock.Now(); return known }, Log: g.Log})
	g.clock = clock.New(clock.Config{
		KernelBoot: boot, Source: clock.System(g.Config.Gateway.TrustClock), Elsewhere: g.timeFrom, Store: clock.In(g.store), Built: g.Built, Last: last,
		Until: g.Began + g.Config.Gateway.WaitForClock, Format: formats.NeedsTime(g.Config.Telemetry.Format),
	})
	g.journal = event.NewJournal(event.Config{Store: g.store, Up: g.clock.Up, Lost: func(l []contract.Loss) { g.page.Lost(l) }, Log: g.Log})
	g.presence = &contract.Presence{Run: g.store.Run(), Store: g.store.ID(), Boot: g.store.Boot(), Version: g.Version, Now: g.clock.Now}
	g.house = housekeeping.New(housekeeping.Config{
		Clock: g.clock, Store: g.store, Journal: g.journal, Beat: g.watch.Part("housekeeping").Beat, Stuck: g.watch.Changed(), Status: g.reportStatus,
		Learned: func() { g.uplink.Wake() }, Health: g.publishHealth, Tick: func() { g.peerLog.Flush(ctx, false); g.files.Check(); g.traffic.Tick() },
		Restart: g.Restart, Reload: g.Reload, Hangup: g.Hangup, Log: g.Log,
	})
	g.house.Learn()
	return nil
}

// build makes the parts and queues what each start reports.
func (g *Gateway) build(ctx context.Context) error {
	g.dialect = platforms.Dialect(g.Config, platform.Parts{
		Topics: g.topics, Commands: g.Config.Commands.Allow, Uplink: func() platform.Uplink { return g.uplink },
		Desired: func(ctx context.Context, payload []byte) error { return g.shadow.Desired(ctx, payload) },
		Adopt:   func(ctx context.Context, d contract.Desired) error { return g.shadow.Adopt(ctx, d) },
		Accept:  func(ctx context.Context, q command.Request) error { return g.runner.Accept(ctx, q) },
	}, g.peers)
	subscriptions := link.Subscriptions(g.topics, g.dialect.Subscriptions(), homeassistant.BirthTopic(g.Config))
	client, err := g.newClient(subscriptions)
	if err != nil {
		return err
	}
	g.client = client
	compressor, err := compress.New(g.Config.Telemetry.Compress)
	if err != nil {
		return err
	}
	g.link = link.New(link.Config{Gateway: g.Config.Gateway.ID, NoBroker: g.Config.NoBroker(), Subscriptions: subscriptions, Online: g.Config.MQTT.Online, Up: g.clock.Up, Stats: client.Stats})
	alarm := func(a contract.AlarmEvent) { g.journal.Add(contract.EventAlarm, a) }
	g.uplink = uplink.New(uplink.Config{
		Gateway: g.Config.Gateway.ID, Topics: g.topics, Encoder: formats.New(g.Config.Telemetry.Format), JSON: new(json.Encoder), Reply: g.dialect.Reply, BatchMax: g.Config.Telemetry.BatchMax,
		Announced: homeassistant.TopicPrefix(g.Config), Linger: g.Config.Linger, Compressor: compressor, MessageMax: link.MessageMax(g.Config.MQTT), DocumentMax: int(g.Config.MQTT.MessageMax), DrainDelay: link.DrainDelay(g.Config.MQTT),
		Labels: payload.Labels(g.Config), Hold: g.Config.Telemetry.Unrouted == config.UnroutedHold, Last: func(sensor string) bool { return g.sensors.KeepsLast(sensor) },
		Alarm: alarm, Queue: g.store, Client: link.Sender{Client: client}, Clock: g.clock, Beat: g.watch.Part("uplink").Beat, Log: g.peers,
	})
	g.announce = homeassistant.New(homeassistant.Facts{Config: g.Config, Topics: g.topics, Version: g.Version, Model: g.Board}, g.uplink)
	g.traffic = traffic.New(traffic.Config{
		Counters: func() (up, down uint64) { s := client.Stats(); return s.BytesOut, s.BytesIn }, Now: g.clock.Now, Up: g.clock.Up,
		Limit: int64(g.Config.MQTT.BytesPerDay), Low: g.Config.LowPriority(), Hold: g.uplink.SetHeld,
		Alarm: alarm, Store: g.store, Log: g.Log,
	})
	g.traffic.Tick() // before anything is sent
	g.view = inspect.New(g.Config.Gateway.ID, g.store, g.clock)
	g.monitor = health.New(g.figures)
	g.page = page.New(page.Config{Gateway: g.Config.Gateway.ID, MaxLoss: g.Config.Buffer.MaxLoss, Page: g.Config.Page, Around: g.Page,
		View:     page.View{Status: g.Status, Recent: func(max int) []contract.CommandRecord { return g.runner.Recent(max) }},
		Password: func() ([]byte, error) { return credential.PagePassword(g.Config.Page) }, Up: g.clock.Up, ForTLS: g.clock.ForTLS, Log: g.peers})
	g.sensors = sensors.New(sensors.Config{
		Gateway: g.Config.Gateway.ID, Sensors: g.Config.Sensors, Buses: g.Buses, Store: g.store, Clock: g.clock, Watchers: &g.hub, Readers: []sensors.Reader{g.timeFrom.Reading, g.page.Reading}, Changed: g.house.SensorChanged, Alarm: alarm,
		Describe: func(sensor string, text []byte) { g.uplink.Set(g.topics.Sensor(sensor), text, nil) },
		Beat:     func(sensor string) func(time.Duration) { return g.watch.Part("sensor " + sensor).Beat }, Log: g.Log,
	})
	g.shadow, err = shadow.New(ctx, shadow.Config{
		Base:   shadow.Base(g.Config),
		Limits: shadow.Limits{Allow: g.Config.Shadow.Allow, EveryMin: g.Config.Shadow.EveryMin, EveryMax: g.Config.Shadow.EveryMax, Fields: g.sensors.Numeric()},
		Store:  g.store, Now: g.clock.Now, Apply: g.apply, Publish: g.dialect.Report, Log: g.peers,
	})
	if err != nil {
		return err
	}
	g.runner, err = command.New(ctx, command.Config{
		Commands: command.Table(), Host: host{g, g.sensors}, Allowed: g.Config.Commands.Allow, Topics: g.topics, Store: g.store,
		ReplyTopics: g.Config.Commands.ReplyTopics, Keep: g.Config.MQTT.SessionExpiry + 2*g.Config.MQTT.KeepAlive,
		Up: g.clock.Up, Now: g.clock.Now, Log: g.peers,
	})
	if err != nil {
		return err
	}
	g.rhythm = rhythm.New(rhythm.Config{Online: g.Config.MQTT.Online, Clock: g.clock, Uplink: g.uplink, Client: client,
		Topic: g.topics.Status(), Presence: g.presence, Busy: g.runner.Busy, Log: g.Log})
	if len(g.Problems) > 0 {
		g.journal.Add(contract.EventConfig, contract.ConfigEvent{State: g.ConfigState, Problems: g.Problems})
	}
	g.trial = trial.New(ctx, trial.Config{Files: g.Trial, Version: g.Version, Gateway: g.Config, Store: g.store, Acked: func() bool { return client.Stats().Acked > 0 }, Online: g.link.Reachable, Sensors: g.sensors.States, Event: g.journal.Add, Log: g.Log})
	return g.uplink.Register(ctx, g.store, g.announce.Retained(g.sensors.Retained(g.topics, g.dialect.Retained())), g.Log)
}

// serve runs the parts and stops them in order.
func (g *Gateway) serve(ctx context.Context) error {
	socket, err := control.Listen(g.Config.Control.Socket)
	if err != nil {
		return err
	}
	tasks := []supervise.Task{{Name: "commands", Run: g.runner.Run}, {Name: "housekeeping", Run: g.house.Run}, {Name: "rhythm", Run: g.rhythm.Run}, {Name: "time", Run: g.timeFrom.Run}, {Name: "trial", Run: g.trial.Run},
		{Name: "homeassistant", Run: g.announce.Run}, {Name: "platform", Run: g.dialect.Run},
		{Name: "control", Run: func(ctx context.Context) error { return control.Serve(ctx, socket, g, g.view, g.Log) }}}
	var values health.Values
	if g.Config.Metrics.Values {
		values = g.sensors.Values
	}
	doors, err := bounded.Open(bounded.Door{Key: "page.listen", Addr: g.Config.Page.Listen, Serve: g.page.Serve}, bounded.Door{Key: "metrics.listen", Addr: g.Config.Metrics.Listen,
		Serve: health.Server(g.monitor, values)})
	if err != nil {
		return errors.Join(err, socket.Close())
	}
	for name, run := range doors {
		tasks = append(tasks, supervise.Task{Name: name, Run: run})
	}
	// Parts that only stop when everything else has.
	linkCtx, stopLink := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLink()
	runCtx, stopRun := context.WithCancelCause(ctx)
	defer stopRun(nil)

	links := supervise.Start(linkCtx, stopRun, []supervise.Task{{Name: "mqtt", Run: g.client.Run}, {Name: "uplink", Run: g.uplink.Run}})
	for name, run := range g.sensors.Runs() {
		tasks = append(tasks, supervise.Task{Name: "sensor " + name, Run: run})
	}
	running := supervise.Start(runCtx, stopRun, tasks)
	g.Log.Info("running", "gateway", g.Config.Gateway.ID, "version", g.Version, "run", g.store.Run(), "store", g.store.ID(), "boot", g.store.Boot(), "sensors", len(g.Config.Sensors))
	begun := g.watch.Begun(runCtx)
	if begun {
		g.Notify.Ready()
		if g.Started != nil {
			g.Started()
		}
	}

	var result error
	select {
	case <-runCtx.Done():
		if err := context.Cause(runCtx); ctx.Err() == nil {
			result = err
		}
	case <-g.restart:
		result = ErrRestart
	}
	if errors.Is(result, ErrRestart) {
		g.Notify.Reloading()
	} else {
		g.Notify.Stopping()
	}
	g.leaving.Store(true)
	stopRun(nil)
	running.Wait()
	if begun && (result == nil || errors.Is(result, ErrRestart)) {
		g.trial.End(context.WithoutCancel(ctx))
	}
	g.Log.Info("stopping", "restart", errors.Is(result, ErrRestart))
	g.disconnect(errors.Is(result, ErrRestart) && g.stays.Load())
	stopLink()
	links.Wait()
	g.uplink.Settle(context.WithoutCancel(ctx))
	g.traffic.Close()
	g.peerLog.Flush(context.WithoutCancel(ctx), true)
	return result
}

// host is what commands work on.
type host struct {
	*Gateway
	*sensors.Sensors
}

// apply puts settings in force.
func (g *Gateway) apply(s shadow.Settings) {
	if err := g.SetLogLevel(s.LogLevel); err != nil {
		g.Log.Error("log level", "err", err) // config and shadow check it before
	}
	g.house.SetHealthEvery(s.HealthEvery)
	g.sensors.Apply(s.Sensors)
	g.announce.Apply(s)
}

// Flush implements command.Host.
func (g *Gateway) Flush(ctx context.Context) error { return g.store.Flush(ctx) }

// SetLogLevel implements command.Host.
func (g *Gateway) SetLogLevel(level string) error { return g.Level.UnmarshalText([]byte(level)) }

// Restart implements command.Host: it ends Run with ErrRestart.
func (g *Gateway) Restart() { g.again(true) }

// again ends Run with ErrRestart. The next start is the same gateway at the same broker if it
// stays.
func (g *Gateway) again(stays bool) {
	g.stays.Store(stays)
	select {
	case g.restart <- struct{}{}:
	default:
	}
}

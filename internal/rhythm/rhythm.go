package rhythm

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/uplink"
	"github.com/fieldgate/fieldgate/mqtt"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

const (
	quiet       = 2 * time.Second // without a message from the broker
	patienceMax = 10 * time.Minute
	sayWait     = 10 * time.Second       // for the PUBACK of P/status
	busyPoll    = 100 * time.Millisecond // how often a command that runs is looked at
)

// goodNight lets the broker publish the will unless the gateway comes again within its delay.
var goodNight = mqtt.Disconnect{Code: packet.DisconnectWithWill}

// Uplink is what a Rhythm needs of the uplink; *uplink.Uplink has it.
type Uplink interface {
	CatchUp(ctx context.Context) error
	Rest(ctx context.Context) error
	Resume()
	Set(topic string, text []byte, done func())
	Stats() uplink.Stats
}

// Clock is what a Rhythm needs of the clock; *clock.Clock has it.
type Clock interface {
	Up() time.Duration      // since power-up
	Now() (time.Time, bool) // false while it is not known
}

// Client is what a Rhythm needs of the MQTT client; *mqtt.Client has it.
type Client interface {
	Pause(d mqtt.Disconnect, pause time.Duration) error
}

// Config is what a Rhythm is made of.
type Config struct {
	Online   config.Online
	Clock    Clock
	Uplink   Uplink
	Client   Client
	Topic    string // of P/status
	Presence *contract.Presence
	Busy     func() bool // a command runs
	Log      *slog.Logger
}

// A Rhythm follows the connections of one gateway. Event and Arrived may be called from any
// goroutine and return at once.
type Rhythm struct {
	cfg         Config
	connections chan context.Context // the newest one that Run has not looked at

	mu         sync.Mutex
	connection context.Context // nil: there is none
	disconnect context.CancelFunc
	orderly    bool          // the last connection was left in order
	left       time.Duration // when
	arrived    time.Duration // when something came from the broker, or the last of ours was acknowledged
}

// New makes a Rhythm.
func New(c Config) *Rhythm { return &Rhythm{cfg: c, connections: make(chan context.Context, 1)} }

// Event takes in an event of the client, and reports of a new connection whether it continues the
// last one.
func (r *Rhythm) Event(e mqtt.Event) (continues bool) {
	if r.cfg.Online == 0 {
		return false
	}
	up := r.cfg.Clock.Up()
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e.Kind {
	case mqtt.Connected:
		continues = r.orderly && up-r.left <= config.WillDelay(r.cfg.Online)
		r.orderly, r.arrived = false, up
		r.connection, r.disconnect = context.WithCancel(context.Background())
		select {
		case <-r.connections: // over before Run looked
		default:
		}
		r.connections <- r.connection
	case mqtt.Disconnected:
		if r.connection != nil {
			r.disconnect()
			r.connection, r.orderly, r.left = nil, e.Err == nil, up
		}
	}
	return continues
}

// Arrived notes that something came from the broker that may be answered.
func (r *Rhythm) Arrived() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.arrived = r.cfg.Clock.Up()
}

// Run leaves connections that have done their work, until ctx ends.
func (r *Rhythm) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case connection := <-r.connections:
			connection, end := context.WithCancel(connection)
			unhook := context.AfterFunc(ctx, end)
			r.awake(connection)
			unhook()
			end()
		}
	}
}

// awake does the work of a connection and leaves it. It returns when the connection has ended or is
// about to.
func (r *Rhythm) awake(ctx context.Context) {
	began := r.cfg.Clock.Up()
	r.sendAll(ctx)
	until := r.cfg.Clock.Up() + r.patience()
	for ctx.Err() == nil {
		r.listen(ctx, until)
		if r.leave(ctx, began, until) {
			return
		}
		r.cfg.Uplink.Resume()
	}
}

// patience is how long a waking goes on without progress.
func (r *Rhythm) patience() time.Duration {
	return min(time.Duration(r.cfg.Online)/2, patienceMax)
}

// settled counts the messages that the broker has decided on, of every kind.
func (r *Rhythm) settled() uint64 { return r.cfg.Uplink.Stats().Settled }

// sendAll waits until what waits was sent and acknowledged, as long as something is.
func (r *Rhythm) sendAll(ctx context.Context) {
	for before := r.settled(); ; {
		try, cancel := context.WithTimeout(ctx, r.patience())
		err := r.cfg.Uplink.CatchUp(try)
		if err == nil {
			err = r.cfg.Uplink.Rest(try)
			r.cfg.Uplink.Resume()
		}
		cancel()
		now := r.settled()
		if err == nil {
			r.Arrived()
		}
		if err == nil || ctx.Err() != nil || now == before {
			return
		}
		before = now
	}
}

// listen waits until nothing has come from the broker for a while and no command runs, at the
// longest until then.
func (r *Rhythm) listen(ctx context.Context, until time.Duration) {
	for {
		up := r.cfg.Clock.Up()
		wait := r.lastArrival() + quiet - up
		if r.cfg.Busy() { // its reply may be answered too
			r.Arrived()
			wait = busyPoll
		}
		if wait = min(wait, until-up); wait <= 0 || !sleep(ctx, wait) {
			return
		}
	}
}

// leave says good night and ends the connection. It returns false if the connection has ended, or
// something came meanwhile that is to be answered.
func (r *Rhythm) leave(ctx context.Context, began, until time.Duration) bool {
	listened := r.lastArrival()
	resting, cancel := context.WithTimeout(ctx, r.patience())
	defer cancel()
	_ = r.cfg.Uplink.CatchUp(resting) // replies; what is left waits for the next waking
	_ = r.cfg.Uplink.Rest(resting)
	if ctx.Err() != nil {
		return false
	}
	wake := r.next(r.cfg.Clock.Up())
	at := time.Time{}
	if now, known := r.cfg.Clock.Now(); known {
		at = now.Add(wake - r.cfg.Clock.Up()).Round(time.Millisecond)
	}
	said := make(chan struct{})
	r.cfg.Uplink.Set(r.cfg.Topic, r.cfg.Presence.Sleep(at), sync.OnceFunc(func() { close(said) }))
	saying, cancel := context.WithTimeout(ctx, sayWait)
	defer cancel()
	select {
	case <-said:
	case <-saying.Done():
	}
	up := r.cfg.Clock.Up()
	switch {
	case ctx.Err() != nil:
		return false
	case r.lastArrival() != listened && up < until:
		r.cfg.Uplink.Set(r.cfg.Topic, r.cfg.Presence.Document(contract.Online), nil)
		return false
	case r.cfg.Client.Pause(goodNight, max(wake-up, time.Millisecond)) != nil: // the connection has just ended
		return false
	}
	r.cfg.Log.Info("asleep", "for", (wake - up).Round(time.Second), "online", (up - began).Round(time.Millisecond))
	return true
}

// next returns the multiple of the period at which to wake.
func (r *Rhythm) next(up time.Duration) time.Duration {
	every := time.Duration(r.cfg.Online)
	past := up % every
	if now, known := r.cfg.Clock.Now(); known {
		past = time.Duration(now.UnixNano()) % every
	}
	wait := every - past
	if wait < every/10 {
		wait += every
	}
	return up + wait
}

func (r *Rhythm) lastArrival() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.arrived
}

// sleep waits and reports whether ctx lasted as long.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

package uplink

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/event"
	"github.com/fieldgate/fieldgate/internal/payload"
)

// Queue is what the uplink needs of the store; *buffer.Store has it.
type Queue interface {
	Run() string
	Split()
	TakePins(dst []buffer.Pin, lane buffer.Lane, max, maxBytes int) []buffer.Pin
	Hold(lane buffer.Lane, parts map[buffer.Part]bool)
	Ack([]buffer.Record)
	AckUnrouted([]buffer.Record)
	HoldLosses(hold bool)
	Release([]buffer.Record)
	Refuse(ctx context.Context, r []buffer.Record, reason string) error
	Get(ctx context.Context, bucket, key string) ([]byte, error)
	Put(ctx context.Context, bucket, key string, value []byte) error
	Ready() <-chan struct{}
}

// Client is what the uplink needs of the MQTT client. Send never blocks. If it returns nil, done is
// called exactly once, from a goroutine of the client, with the reason code of the PUBACK or an
// error: ErrTooLarge, ErrRejectedByDisconnect, ErrEnded, ErrWithdrawn.
type Client interface {
	Send(m Message, done func(code byte, err error)) error
	// Withdraw takes back messages with a priority below that which were not sent yet: their
	// outcome is ErrWithdrawn.
	Withdraw(below int)
}

// Errors that an adapter of the client makes its own into.
var (
	// ErrRejectedByDisconnect means that the broker ends the connection whenever it receives this
	// message, and only this one.
	ErrRejectedByDisconnect = errors.New("the broker ends the connection at this message")
	ErrTooLarge             = errors.New("larger than the broker accepts")
	ErrInvalid              = errors.New("not a message that MQTT can carry")
	ErrEnded                = errors.New("the client has ended")
	ErrWithdrawn            = errors.New("withdrawn before it was sent")
)

// A Message is one PUBLISH with QoS 1. It belongs to the client until done was called.
type Message struct {
	Topic       string
	Payload     []byte
	Retain      bool
	ContentType string
	Encoding    string // of a compressed payload
	Correlation []byte
	Priority    int // what waits at the client goes by it, the highest first
}

// Priorities of messages.
const (
	priorityBacklog = iota
	priorityLive
	priorityEvents // and P/status; other documents are live
)

// Times gives readings their time.
type Times interface {
	// Time returns the wall time of a moment of a kernel's boot; false if it is not known.
	Time(kernelBoot string, up time.Duration) (time.Time, bool)
}

// Clock is what the uplink needs of the clock.
type Clock interface {
	Times
	// Pending reports whether sending waits for the time of the running kernel.
	Pending() bool
}

// A Compressor makes payloads smaller, for one goroutine at a time.
type Compressor interface {
	Encoding() string // as the user property content-encoding has it
	Append(dst, src []byte) []byte
}

// Config is what an uplink is made of.
type Config struct {
	Gateway  string
	Topics   contract.Topics
	Encoder  payload.Encoder
	JSON     payload.Encoder               // of P/last, and of readings without a time if Encoder needs one
	BatchMax int                           // readings in one message
	Reply    func(event.Reply) event.Reply // gives a reply its form just before it is sent; nil: it has it
	Hold     bool                          // PUBACK 0x10 means held, not delivered
	Last     func(sensor string) bool      // whether P/last is kept for a sensor
	// Announced is what the topics of announcements to Home Assistant begin with; "": there are
	// none.
	Announced string
	// Linger is how long live readings of a sensor wait for company; nil: not at all.
	Linger     func(sensor string) time.Duration
	Compressor Compressor // of telemetry; nil: none
	MessageMax int        // bytes of a batch, whatever the broker announces; 0: no limit
	// DocumentMax is the same for retained documents, which cannot be divided: what is larger is
	// not sent and reported as refused.
	DocumentMax int
	// DrainDelay is for how long the backlog waits after a connection; nil: not at all.
	DrainDelay func() time.Duration
	Labels     map[string][]payload.Label // of telemetry, by sensor; see payload.Labels
	Alarm      func(contract.AlarmEvent)  // a topic was refused, or passes again; called from Run's goroutine
	Queue      Queue
	Client     Client
	Clock      Clock
	// Beat is called by Run: before a step with 0, and before it waits with how long it will wait
	// at most. It must not block. nil: nobody asks.
	Beat func(wait time.Duration)
	Log  *slog.Logger
}

// An Uplink delivers the store. Run is its only goroutine.
type Uplink struct {
	cfg     Config
	wake    chan struct{}
	counts  counts
	leaving atomic.Int32

	mu       sync.Mutex // guards what follows; held only for moments
	link     Link
	linkNew  bool // a connection came or went since Run looked
	outcomes []outcome
	docs     docs
	idle     chan struct{} // closed when there is nothing to do; nil: nobody waits
	caughtUp chan struct{} // closed when nothing waits; nil: nobody waits for it
	resting  bool
	rested   chan struct{}     // closed when nothing is in flight; nil: nobody waits for it
	refusals map[string]string // topic -> why
	toHold   map[string]bool   // sensors, as SetHeld had them
	holdNew  bool              // since Run looked
	search   search            // as Run knows it

	held           map[string]bool // sensors whose readings wait in the store
	lanes          [3]lane
	retired, left  bool
	pauses         map[string]*pause
	culprits       map[string]int // messages of a topic that became dead letters since one of it passed
	sizes          sizes
	gates          gates
	unroutedLosses unroutedLosses
	last           map[string]*newest
	pacer          pacer
	current        Link
	drainAt        time.Time          // from when on the backlog goes; others read it with mu
	weights        map[string]float64 // bytes of a reading in the last message, by sensor
	rendered       []payload.Reading  // of the batch that was rendered last
	text, small    []byte             // its payload, as it is and compressed
	recs           []buffer.Record    // of the group that was asked for last
	taken          []buffer.Pin       // last
	now            func() time.Time
}

// Link is what a connection lets us do. The zero value is: not connected.
type Link struct {
	Up        bool
	Broker    string // its URL
	Continues bool   // the last one was left in order: what was taken since is live
	Fresh     bool   // the broker had no session: retained documents are sent again
	Window    int    // messages unacknowledged
	MaxPacket int    // bytes of a packet that it announced; 0: no limit
	NoRetain  bool   // it keeps no retained messages: documents go without RETAIN
}

type counts struct {
	delivered, unrouted, refused, messages, bytes, settled atomic.Uint64
}

// Stats is what was delivered since the start.
type Stats struct {
	Delivered uint64 // readings
	Unrouted  uint64 // of them: nobody had subscribed
	Refused   uint64 // buried as dead letters
	Messages  uint64
	Bytes     uint64 // of payloads
	Settled   uint64 // messages that the broker has decided on, documents and events included
}

// New makes an uplink. It does nothing before Run.
func New(c Config) *Uplink {
	u := &Uplink{cfg: c, wake: make(chan struct{}, 1), pauses: map[string]*pause{}, culprits: map[string]int{},
		refusals: map[string]string{}, last: map[string]*newest{}, weights: map[string]float64{}, now: time.Now}
	if u.cfg.Beat == nil {
		u.cfg.Beat = func(time.Duration) {}
	}
	u.docs.entries, u.docs.first = map[string]*doc{}, c.Topics.Status()
	u.gates.of = map[string]*gate{}
	for _, prefix := range []string{c.Topics.Last(""), c.Topics.Sensor("")} {
		u.gates.families = append(u.gates.families, family{prefix, prefix + "+"})
	}
	if prefix := c.Announced; prefix != "" {
		u.gates.families = append(u.gates.families, family{prefix, prefix + "+/config"})
	}
	u.unroutedLosses.noSubscriber = map[string]bool{}
	for q := range u.lanes {
		u.lanes[q].id = buffer.Lane(q)
	}
	return u
}

// SetLink says that a connection came or went. It may be called from any goroutine and returns at
// once.
func (u *Uplink) SetLink(l Link) {
	u.mu.Lock()
	u.link, u.linkNew = l, true
	u.resting = u.resting && !l.Up
	u.mu.Unlock()
	u.Wake()
}

// How far an uplink has gone in leaving.
const (
	staying  = iota
	retiring // readings stay
	leaving  // events stay as well
)

// Retire ends the lanes of readings: events still go, also loss events that nobody got before. What
// the client has not sent yet goes back to the store.
func (u *Uplink) Retire() {
	u.leaving.Store(retiring)
	u.Wake()
}

// Leave ends the lanes: what was sent is still settled, retained documents still go, and nothing
// else is sent.
func (u *Uplink) Leave() {
	u.leaving.Store(leaving)
	u.Wake()
}

// Idle waits until nothing is in flight and no event is left that may be sent; at once if there is
// no connection.
func (u *Uplink) Idle(ctx context.Context) {
	idle := make(chan struct{})
	u.mu.Lock()
	u.idle = idle
	u.mu.Unlock()
	u.Wake()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}

// notifyIdle tells Idle that there is nothing to do.
func (u *Uplink) notifyIdle() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.idle != nil {
		close(u.idle)
		u.idle = nil
	}
}

// Wake makes Run look again, for instance because a clock became known.
func (u *Uplink) Wake() {
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// Stats returns what was delivered.
func (u *Uplink) Stats() Stats {
	return Stats{u.counts.delivered.Load(), u.counts.unrouted.Load(), u.counts.refused.Load(), u.counts.messages.Load(), u.counts.bytes.Load(), u.counts.settled.Load()}
}

// BacklogWait returns for how long the backlog waits on this connection before it is sent.
func (u *Uplink) BacklogWait() time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.link.Up {
		return 0
	}
	return max(u.drainAt.Sub(u.now()), 0)
}

// Run delivers until ctx ends. What is staged then goes back to the store; what is in flight is
// settled by Settle. What the store cannot do now, because its disk fails, is tried again: Run
// returns no error.
func (u *Uplink) Run(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		u.cfg.Beat(0)
		wait := u.step(ctx)
		timer.Reset(wait)
		u.cfg.Beat(wait)
		select {
		case <-ctx.Done():
			u.unstage()
			return nil
		case <-u.wake:
		case <-u.cfg.Queue.Ready():
		case <-timer.C:
		}
	}
}

// Settle tells the store what became of messages whose PUBACK came after Run ended. The gateway
// calls it when the client has ended, before it closes the store.
func (u *Uplink) Settle(ctx context.Context) { u.settle(ctx) }

// step does everything that can be done now and returns how long to wait for what only time brings.
func (u *Uplink) step(ctx context.Context) time.Duration {
	u.settle(ctx)
	u.saveSizes(ctx)
	u.showSearch()
	u.mu.Lock()
	link, changed, resting, held := u.link, u.linkNew, u.resting, u.holdNew
	u.linkNew, u.holdNew = false, false
	if held {
		u.held = u.toHold
	}
	if changed && link.Up {
		u.docs.connectedLocked(link.Fresh)
	}
	u.mu.Unlock()
	if changed || held {
		u.unstage()
	}
	if changed {
		u.pacer, u.current = newPacer(), link
		if link.Up {
			if !link.Continues {
				u.cfg.Queue.Split()
			}
			if u.cfg.DrainDelay != nil && !link.Continues {
				at := u.now().Add(u.cfg.DrainDelay())
				u.mu.Lock()
				u.drainAt = at
				u.mu.Unlock()
			}
			u.loadSizes(ctx, link.Broker)
		}
		for _, n := range u.last {
			n.dirty = n.dirty || link.Fresh
		}
	}
	if !link.Up || link.Window < 1 {
		u.notifyIdle()
		return time.Hour
	}
	if u.leaving.Load() == retiring && !u.retired {
		u.retired = true
		u.release()
		u.cfg.Client.Withdraw(priorityEvents) // a low rate would keep the gateway from leaving
	}
	if u.leaving.Load() == leaving && !u.left {
		u.left = true
		u.cfg.Client.Withdraw(priorityEvents + 1) // P/status is next
	}
	u.resume()
	wait := u.fill(link, resting)
	if u.lanes[0].inFlight+u.lanes[1].inFlight+u.lanes[2].inFlight+len(u.lanes[buffer.EventLane].staged) == 0 {
		u.notifyIdle()
	}
	u.notifyRest(link)
	return wait
}

package mqtt

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// A Client keeps one session with one broker, over as many connections as that takes. New makes
// one; the zero value is not usable. Its methods may be called from any goroutine.
type Client struct {
	cfg  Config
	urls []*url.URL

	stop        context.Context // ends when the client is to end, with the cause
	cancel      context.CancelCauseFunc
	started     bool
	ended       chan struct{} // closed when nothing of the client runs any more
	settler     settler
	inbox       inbox
	storing     sync.Mutex // held around calls of the session store
	facts       factsState // the supervisor's
	suspect     suspicion  // the supervisor's
	will        willLimit  // the supervisor's
	sentWill    *Will      // the will of the last CONNECT; the supervisor's
	noAliases   bool       // the broker cannot handle topic aliases; the supervisor's
	lastFailure string     // the failure that was logged last; the supervisor's
	responses   responses
	auth        *authentication // nil without Config.Authenticator
	renewed     *Credentials    // for the next attempt: asked for before the last connection ended; the supervisor's
	bytes       meter

	// mu guards what follows, and everything in the current connection that says so. It is never
	// held during I/O or while code of the user runs.
	mu       sync.Mutex
	session  session
	epoch    int    // counts sessions: it changes when the broker lost one
	clientID string // the one in use, "" until the broker assigned it
	unsaved  bool   // the facts changed since the last Save
	free     *exchange
	serial   uint64
	pending  int // messages accepted and not yet settled
	requests []*request
	pace     pace
	journal  journal
	conn     *conn // the current connection, nil while offline
	closing  bool
	stats    Stats
}

// New returns a client for cfg. It checks cfg and does no I/O; the error names everything that is
// wrong. What cfg refers to must not be modified afterwards. Messages may be sent right away; they
// wait for Run.
func New(cfg Config) (*Client, error) {
	cfg, urls, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, urls: urls, ended: make(chan struct{}), session: newSession(nil, cfg.MaxInFlight), pace: newPace(cfg.PublishRate, cfg.BytesRate)}
	c.stop, c.cancel = context.WithCancelCause(context.Background())
	c.settler.init(c)
	c.inbox.init(c)
	c.responses.init()
	if cfg.Authenticator != nil {
		c.auth = &authentication{cfg.Authenticator, make(chan struct{}, 1)}
	}
	return c, nil
}

// Run connects, serves and reconnects until ctx ends or Close is called; no failed connection ends
// it. It owns all goroutines of the client. It returns when they have ended and every message has
// an outcome: those that are left get ErrUncertain if they were sent, ErrClosed if not. Run returns
// nil after Close, and context.Cause(ctx) if ctx ended. It may only be called once. When ctx ends,
// the client sends DISCONNECT 0x04, so that the broker publishes the will; call Close instead to
// discard the will.
func (c *Client) Run(ctx context.Context) error {
	c.mu.Lock()
	switch {
	case c.closing:
		c.mu.Unlock()
		return nil
	case c.started:
		c.mu.Unlock()
		return errors.New("mqtt: Run was called twice")
	}
	c.started = true
	c.mu.Unlock()
	defer close(c.ended)

	unhook := context.AfterFunc(ctx, func() { c.shutdown(packet.Disconnect{Code: packet.DisconnectWithWill}, context.Cause(ctx)) })
	defer unhook()

	var handling, settling sync.WaitGroup // the connection's goroutines are waited for in serve
	settle, stopSettling := context.WithCancel(context.Background())
	defer stopSettling()
	handling.Go(func() { c.inbox.run(c.stop) })
	settling.Go(func() { c.settler.run(settle) })

	c.supervise()

	handling.Wait()
	if err := c.saveMessages(ctx); err != nil { // that they are done; otherwise they are repeated
		c.cfg.Log.Warn("messages will be repeated after a restart", "err", err)
	}
	c.settleAll()
	stopSettling()
	settling.Wait()
	if cause := context.Cause(c.stop); !errors.Is(cause, ErrClosed) {
		return cause
	}
	return nil
}

// Close shuts the client down in order: it accepts nothing more, sends the DISCONNECT that d
// describes, and waits for Run to end. It does not wait for queued messages to be sent or
// acknowledged: their outcome is ErrClosed if they were not sent, and ErrUncertain if they were. If
// ctx ends first, Close closes the connection and returns context.Cause(ctx) without waiting for
// Run. If MQTT does not allow d, Close returns ErrInvalid, and the client goes on.
//
// Close must not be called from the handler, a done function or OnEvent, since Run waits for them.
func (c *Client) Close(ctx context.Context, d Disconnect) error {
	p, err := d.encode(c.cfg.SessionExpiry)
	if err != nil {
		return err
	}
	c.mu.Lock()
	idle := !c.started
	c.started = true
	c.mu.Unlock()
	c.shutdown(p, ErrClosed)
	if idle { // there is no Run that could settle
		c.settleAll()
		c.settler.flush()
		close(c.ended)
	}
	select {
	case <-c.ended:
		return nil
	case <-ctx.Done():
		c.mu.Lock()
		if c.conn != nil {
			c.conn.failLocked(context.Cause(ctx))
		}
		c.mu.Unlock()
		return context.Cause(ctx)
	}
}

// Pause ends the current connection in order, with the DISCONNECT that d describes, and has the
// client connect again after the given time. What is not acknowledged stays, and Send accepts more.
// It returns at once; the event Disconnected, with a nil Err, follows. Without a connection it does
// nothing and returns ErrNotConnected. Unlike Close it does not discard the session: d with code
// 0x04 and a will with a Delay longer than the pause let the broker report a client that does not
// come back.
func (c *Client) Pause(d Disconnect, pause time.Duration) error {
	p, err := d.encode(c.cfg.SessionExpiry)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closing:
		return ErrClosed
	case c.conn == nil || !c.conn.ready:
		return ErrNotConnected
	}
	c.conn.closeLocked(&closing{p, &pausing{time.Now().Add(pause)}})
	return nil
}

// pausing ends a connection because of Pause.
type pausing struct{ until time.Time }

func (*pausing) Error() string { return "mqtt: paused" }

// shutdown makes the client end, with a DISCONNECT if it is connected. Only the first call counts.
func (c *Client) shutdown(d packet.Disconnect, cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return
	}
	c.closing = true
	if c.conn != nil {
		c.conn.closeLocked(&closing{d, nil})
	}
	c.cancel(cause)
}

// settleAll settles what is left when the client ends.
func (c *Client) settleAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range []*list{&c.session.released, &c.session.resend, &c.session.unacked, &c.session.queue} {
		for x := l.head; x != nil; x = l.head {
			err := ErrClosed
			if !x.sentAt.IsZero() {
				err = ErrUncertain
			}
			c.session.settle(x)
			x.stored = 0 // the next process has it
			c.settleLocked(x, PublishResult{}, err)
		}
	}
	for _, r := range c.requests {
		r.finish(SubscriptionResult{}, ErrClosed)
	}
	c.requests = nil
}

// Stats returns the client's current figures.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Connected = c.conn != nil && c.conn.ready
	s.Queued = c.pending
	s.InFlight = c.session.inFlight() + c.session.resend.len
	var oldest time.Time
	for _, l := range []*list{&c.session.released, &c.session.resend, &c.session.unacked} {
		if l.head != nil && (oldest.IsZero() || l.head.sentAt.Before(oldest)) {
			oldest = l.head.sentAt
		}
	}
	if !oldest.IsZero() {
		s.OldestInFlight = time.Since(oldest)
	}
	s.BytesIn, s.BytesOut = c.bytes.in.Load(), c.bytes.out.Load()
	return s
}

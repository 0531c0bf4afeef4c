package mqtt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// slowConnect is how long an attempt may take before the log says that it is under way.
const slowConnect = 5 * time.Second

// eagerAttempts is how many attempts in a row may come soon to find out what the broker cannot
// handle.
const eagerAttempts = 6

// supervise connects again and again until the client is to end.
func (c *Client) supervise() {
	if len(c.urls) == 0 {
		<-c.stop.Done()
		return
	}
	r := route{urls: slices.Clone(c.urls)}
	attempts := 0    // since the last stable connection
	refused := false // credentials, since the last connection
	for c.stop.Err() == nil {
		u, detour := r.next()
		lasted, err := c.attempt(u)
		attempts++
		if lasted >= c.cfg.Backoff.StableAfter || lasted > 0 && c.suspect.explained() {
			attempts, r.redirects = 1, 0
		}
		followed := r.follow(u, err, c.cfg.Redirect)
		if lasted == 0 && !detour && !followed {
			r.i++ // another address may do better
		}
		var wait time.Duration
		pause, paused := err.(*pausing)
		switch {
		case paused:
			wait, err, attempts = max(time.Until(pause.until), 0), nil, 0
		case followed, err == ErrCredentialsExpire:
		case c.will.refused(c.sentWill, err):
			wait = c.cfg.Backoff.delay(1, nil)
		case (c.facts.restart || c.suspect.pending()) && attempts <= eagerAttempts:
			wait = c.cfg.Backoff.delay(1, err)
		case c.cfg.Credentials != nil && !refused && credentialsRefused(err):
			refused = true
			wait = c.cfg.Backoff.delay(1, nil)
		case lasted > 0 || detour || r.i%len(r.urls) == 0:
			wait = c.cfg.Backoff.delay((attempts+len(r.urls)-1)/len(r.urls), err)
		}
		if lasted > 0 {
			refused = false
		}
		c.report(u, err, wait)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-c.stop.Done():
			timer.Stop()
		}
	}
}

// credentialsRefused reports whether err is a CONNACK that newer credentials may turn into a
// success.
func credentialsRefused(err error) bool {
	e, ok := errors.AsType[*ReasonError](err)
	return ok && e.Packet == packet.CONNACK.String() && (e.Code == packet.BadUserNameOrPassword || e.Code == packet.NotAuthorized)
}

// report reports how an attempt or a connection ended.
func (c *Client) report(u *url.URL, err error, wait time.Duration) {
	if c.stop.Err() != nil {
		wait = 0
		if errors.Is(err, context.Cause(c.stop)) || errors.Is(err, ErrClosed) {
			err = nil
		}
	}
	if reasonCode(err) == packet.SessionTakenOver {
		c.cfg.Log.Warn("session taken over by another client with the same id", "url", shownURL(u))
		c.cfg.OnEvent(Event{Kind: TakenOver, URL: shownURL(u), Err: err})
	}
	switch {
	case err == nil:
		c.cfg.Log.Info("disconnected", "url", shownURL(u))
	case err == ErrCredentialsExpire:
		c.cfg.Log.Info("disconnected", "url", shownURL(u), "err", err)
	case err.Error() == c.lastFailure: // a repetition
		c.cfg.Log.Debug("disconnected", "url", shownURL(u), "err", err, "retry", wait)
	default:
		c.lastFailure = err.Error()
		d := Diagnose(err)
		c.cfg.Log.Warn("disconnected", "url", shownURL(u), "cause", d.Cause, "remedy", d.Remedy, "err", err, "retry", wait)
	}
	c.cfg.OnEvent(Event{Kind: Disconnected, URL: shownURL(u), Err: err, Retry: wait})
}

// attempt makes one connection and serves it until it ends. It returns how long it was up, 0 if it
// did not come to Connected, and why it ended.
func (c *Client) attempt(u *url.URL) (lasted time.Duration, err error) {
	c.cfg.OnEvent(Event{Kind: Connecting, URL: shownURL(u)})
	deadline := time.Now().Add(c.cfg.ConnectTimeout)
	ctx, cancel := context.WithDeadlineCause(c.stop, deadline,
		fmt.Errorf("mqtt: no connection to %v within %v: %w", u, c.cfg.ConnectTimeout, context.DeadlineExceeded))
	defer cancel()
	slow := time.AfterFunc(slowConnect, func() { c.cfg.Log.Info("connecting: no answer yet", "url", shownURL(u), "after", slowConnect) })
	n, lost, err := c.connect(ctx, u)
	slow.Stop()
	if err != nil {
		if errors.Is(err, errBeforeConnack) && c.facts.resumable {
			c.countFailedResume(err)
		}
		return 0, err
	}
	if lost {
		c.cfg.Log.Warn("the broker lost the session", "client_id", n.negotiated.ClientID)
		c.cfg.OnEvent(Event{Kind: SessionLost, URL: shownURL(u)})
	}
	var up time.Time
	err = n.serve(deadline, func(g Negotiated) {
		up = time.Now()
		c.lastFailure = ""
		c.cfg.Log.Info("connected", "url", g.URL, "client_id", g.ClientID, "session_present", g.SessionPresent)
		for i, code := range g.Granted {
			switch s := c.cfg.Subscriptions[i]; {
			case code.Failed():
				c.cfg.Log.Warn("subscription refused", "filter", s.Filter, "code", code.String())
			case QoS(code) < s.QoS:
				c.cfg.Log.Warn("subscription granted with a lower QoS", "filter", s.Filter, "qos", s.QoS, "granted", code)
			}
		}
		c.cfg.OnEvent(Event{Kind: Connected, URL: shownURL(u), Negotiated: g})
	})
	if up.IsZero() {
		return 0, err
	}
	return max(time.Since(up), 1), err
}

// A factsState is what the supervisor knows of the session's facts.
type factsState struct {
	loaded bool
	// resumable: the broker may hold a session that this client may resume.
	resumable bool
	// foreign: the broker holds a session under this client id that is not this client's.
	foreign bool
	// announced: it is durable that the broker may hold a session.
	announced bool
	// restart: a new session is to be started because the broker cannot resume this one.
	restart bool
}

// loadFacts asks the store once. Facts of another client id are none of this session.
func (c *Client) loadFacts(ctx context.Context) error {
	if c.facts.loaded {
		return nil
	}
	c.storing.Lock()
	f, err := c.cfg.Session.Load(ctx)
	c.storing.Unlock()
	if err != nil {
		return fmt.Errorf("mqtt: session store: %w", err)
	}
	same := f.ClientID != "" && (c.cfg.ClientID == "" || c.cfg.ClientID == f.ClientID)
	resume := same && f.Established && !c.cfg.CleanStart && c.cfg.SessionExpiry > 0
	if err := c.loadMessages(ctx, resume); err != nil {
		return err
	}
	c.facts.loaded = true
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clientID = c.cfg.ClientID
	if same {
		c.clientID = f.ClientID
	}
	if resume {
		c.facts.resumable, c.facts.announced = true, true
		for _, id := range f.Received {
			c.session.received[id] = false
		}
	}
	return nil
}

// factsChangedLocked notes that the facts are to be saved. A client without a session has none.
func (c *Client) factsChangedLocked() { c.unsaved = c.cfg.SessionExpiry > 0 }

// saveFacts makes the facts durable if they changed. The end of ctx does not keep it from that:
// what the handler accepted must not be forgotten because the client ends.
func (c *Client) saveFacts(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.ConnectTimeout)
	defer cancel()
	c.storing.Lock()
	defer c.storing.Unlock()
	c.mu.Lock()
	if !c.unsaved {
		c.mu.Unlock()
		return nil
	}
	c.unsaved = false
	f := SessionFacts{
		ClientID:    c.clientID,
		Established: true,
		Received:    slices.Sorted(maps.Keys(c.session.received)),
	}
	c.mu.Unlock()
	if err := c.cfg.Session.Save(ctx, f); err != nil {
		c.mu.Lock()
		c.unsaved = true
		c.mu.Unlock()
		return fmt.Errorf("mqtt: session store: %w", err)
	}
	return nil
}

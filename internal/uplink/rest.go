package uplink

import "context"

// CatchUp waits until the client has got everything that waits and may be sent on this connection.
// What a refusal keeps back does not count. It returns the end of ctx as an error.
func (u *Uplink) CatchUp(ctx context.Context) error { return u.await(ctx, &u.caughtUp, false) }

// Rest ends the lanes until Resume, or the next connection, and waits until nothing is in flight
// and no retained document is left that may be sent. It returns the end of ctx as an error.
func (u *Uplink) Rest(ctx context.Context) error { return u.await(ctx, &u.rested, true) }

// Resume ends Rest.
func (u *Uplink) Resume() {
	u.mu.Lock()
	u.resting = false
	u.mu.Unlock()
	u.Wake()
}

// await waits until Run's goroutine closes what it puts in place.
func (u *Uplink) await(ctx context.Context, place *chan struct{}, rest bool) error {
	done := make(chan struct{})
	u.mu.Lock()
	*place = done
	u.resting = u.resting || rest
	u.mu.Unlock()
	u.Wake()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if *place == done {
		*place = nil
	}
	return context.Cause(ctx)
}

// notifyRest tells CatchUp and Rest that it is so.
func (u *Uplink) notifyRest(link Link) {
	inFlight, waits := u.inFlight(), false
	u.mu.Lock()
	asked, outcomes, resting := u.caughtUp != nil || u.rested != nil, len(u.outcomes) > 0, u.resting
	u.mu.Unlock()
	if !asked || outcomes {
		return
	}
	documents := u.documentsWait()
	if !resting {
		waits = u.cfg.Clock.Pending() || documents
		for i := range u.lanes {
			waits = waits || u.stage(&u.lanes[i])
			waits = waits || u.lanes[i].open.records > 0
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.caughtUp != nil && !resting && !waits {
		close(u.caughtUp)
		u.caughtUp = nil
	}
	if u.rested != nil && u.resting && inFlight == 0 && !documents {
		close(u.rested)
		u.rested = nil
	}
}

// documentsWait reports whether a retained document has changed that no refusal keeps back. A
// newest reading counts while the lanes rest: before that it may be a newer one each time.
func (u *Uplink) documentsWait() bool {
	now := u.now()
	u.mu.Lock()
	resting := u.resting
	for _, topic := range u.docs.dirty {
		if u.gates.due(topic, now) == 0 {
			u.mu.Unlock()
			return true
		}
	}
	u.mu.Unlock()
	for sensor, n := range u.last {
		if resting && n.dirty && !u.held[sensor] && u.gates.due(n.topic, now) == 0 {
			return true
		}
	}
	return false
}

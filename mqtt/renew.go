package mqtt

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

const (
	// renewMargin is how long before their end credentials are renewed, or a tenth of their time if
	// that is shorter.
	renewMargin = time.Minute
	// minRenewal is the shortest time between renewals, whatever a provider says.
	minRenewal = 10 * time.Second
)

// ErrCredentialsExpire is the error of a Disconnected event shortly before Credentials.Expires: the
// client connects again with new ones.
var ErrCredentialsExpire = errors.New("mqtt: the credentials are about to expire")

// renew waits until the credentials of the connection are about to expire. Then it
// re-authenticates, or leaves the broker, with 0x04 so that no watcher takes the client for
// connected if it does not come back. It returns when the connection ends.
func (n *conn) renew() {
	wait := n.renewIn()
	for !n.expires.IsZero() {
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-n.dead:
			timer.Stop()
			return
		}
		err := n.renewNow()
		if err == errNotYet {
			wait = minRenewal
			continue
		}
		if err != nil {
			n.c.mu.Lock()
			n.leaveLocked(packet.DisconnectWithWill, err)
			n.c.mu.Unlock()
			return
		}
		wait = n.renewIn()
	}
}

// renewIn returns how long to wait before asking for new credentials.
func (n *conn) renewIn() time.Duration {
	left := time.Until(n.expires)
	return max(left-min(left/10, renewMargin), minRenewal)
}

// errNotYet says that there are no new credentials yet, while the present ones still last.
var errNotYet = errors.New("mqtt: no new credentials yet")

// renewNow asks for new credentials and re-authenticates. ErrCredentialsExpire says that this takes
// a new connection, which is only made if there are any.
func (n *conn) renewNow() error {
	who, err := n.askAgain()
	lasts := time.Until(n.expires) > minRenewal
	switch {
	case n.c.auth == nil && lasts && (err != nil || !who.Expires.IsZero() && !who.Expires.After(n.expires)):
		if err != nil {
			n.c.cfg.Log.Warn("no new credentials; the present ones are about to expire", "expires", n.expires, "err", err)
		}
		return errNotYet
	case err != nil:
		return fmt.Errorf("%w: %w", ErrCredentials, err)
	case n.c.auth == nil:
		n.c.renewed = &who
		return ErrCredentialsExpire
	}
	n.expires = who.Expires
	ctx, cancel := context.WithTimeout(n.c.stop, n.c.cfg.ConnectTimeout)
	defer cancel()
	return n.c.Reauthenticate(ctx)
}

// askAgain calls Config.Credentials. The end of the connection ends the wait for it.
func (n *conn) askAgain() (Credentials, error) {
	ctx, cancel := context.WithTimeout(n.c.stop, n.c.cfg.ConnectTimeout)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	watching.Go(func() {
		select {
		case <-n.dead:
			cancel()
		case <-ctx.Done():
		}
	})
	return n.c.cfg.Credentials(ctx)
}

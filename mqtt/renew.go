package mqtt

import (
	"context"
	"errors"
	"fmt"
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
	for !n.expires.IsZero() {
		left := time.Until(n.expires)
		timer := time.NewTimer(max(left-min(left/10, renewMargin), minRenewal))
		select {
		case <-timer.C:
		case <-n.dead:
			timer.Stop()
			return
		}
		if err := n.renewNow(); err != nil {
			n.c.mu.Lock()
			n.leaveLocked(packet.DisconnectWithWill, err)
			n.c.mu.Unlock()
			return
		}
	}
}

// renewNow re-authenticates. ErrCredentialsExpire says that this takes a new connection.
func (n *conn) renewNow() error {
	if n.c.auth == nil {
		return ErrCredentialsExpire
	}
	ctx, cancel := context.WithTimeout(n.c.stop, n.c.cfg.ConnectTimeout)
	defer cancel()
	who, err := n.c.cfg.Credentials(ctx)
	if err != nil {
		return fmt.Errorf("mqtt: credentials: %w", err)
	}
	n.expires = who.Expires
	return n.c.Reauthenticate(ctx)
}

package link

import (
	"context"
	"log/slog"
	"time"

	"github.com/fieldgate/fieldgate/internal/uplink"
	"github.com/fieldgate/fieldgate/mqtt"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

const (
	lossWait    = 2 * time.Second // for the acknowledgement of what the ledger has to report
	offlineWait = 3 * time.Second // for the PUBACK of "offline"
	closeWait   = time.Second     // for a DISCONNECT
)

// A Goodbye is what a gateway says to the broker before it stops.
type Goodbye struct {
	Client *mqtt.Client
	Uplink *uplink.Uplink
	// Losses queues what the ledger has to report, also readings that nobody got so far: there may
	// be no next start.
	Losses  func(ctx context.Context) error
	Topic   string // of P/status
	Offline []byte // its document
	Log     *slog.Logger
}

// Say reports the losses, publishes Offline and, if that was acknowledged, ends the connection by a
// DISCONNECT that discards the will. A gateway that starts again at once says nothing.
func (g Goodbye) Say(restarting bool) {
	if !restarting {
		g.publishLosses()
	}
	ctx, cancel := context.WithTimeout(context.Background(), offlineWait)
	defer cancel()
	clean := restarting
	g.Uplink.Leave()
	if !restarting && g.Client.Stats().Connected {
		published := make(chan struct{})
		g.Uplink.Set(g.Topic, g.Offline, func() { close(published) })
		select {
		case <-published:
			clean = true
		case <-ctx.Done():
		}
	}
	closing, cancelClosing := context.WithTimeout(context.Background(), closeWait)
	defer cancelClosing()
	var reason mqtt.Disconnect
	if !clean {
		reason.Code = packet.DisconnectWithWill
	}
	if err := g.Client.Close(closing, reason); err != nil {
		g.Log.Debug("closing the connection", "err", err)
	}
}

func (g Goodbye) publishLosses() {
	ctx, cancel := context.WithTimeout(context.Background(), lossWait)
	defer cancel()
	g.Uplink.Retire()
	if g.Uplink.Idle(ctx); ctx.Err() != nil {
		g.Log.Warn("the loss ledger waits for the next start: mqtt.publish_rate, mqtt.bytes_rate or the broker is too slow to publish it now", "waited", lossWait)
		return
	}
	if err := g.Losses(ctx); err != nil {
		g.Log.Warn("the loss ledger cannot be published now; it will be at the next start", "err", err)
	}
	g.Uplink.Idle(ctx)
}

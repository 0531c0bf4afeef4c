package link

import (
	"log/slog"

	"github.com/fieldgate/fieldgate/mqtt"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// Reconnect has a client connect again with new credentials. The will waits for that: see
// credential.WillDelay.
func Reconnect(c *mqtt.Client, log *slog.Logger) {
	if err := c.Pause(mqtt.Disconnect{Code: packet.DisconnectWithWill}, 0); err != nil {
		log.Debug("connecting again", "err", err) // there is no connection: the next one has the new ones
	}
}

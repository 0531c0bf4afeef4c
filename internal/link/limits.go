package link

import (
	"math/rand/v2"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/mqtt"
)

// MessageMax returns how large a message may be, in bytes, whatever the broker announces: what the
// configuration says, or what its byte rate allows in one piece if that is less; 0 for no limit.
func MessageMax(m config.MQTT) int {
	most := int(m.MessageMax)
	if burst := mqtt.Burst(int(m.BytesRate)); burst > 0 && (most == 0 || burst < most) {
		most = burst
	}
	return most
}

// DrainDelay returns how long the backlog waits after a connection, at random; nil if it does not.
func DrainDelay(m config.MQTT) func() time.Duration {
	if m.DrainDelayMax == 0 {
		return nil
	}
	return func() time.Duration { return rand.N(m.DrainDelayMax) }
}

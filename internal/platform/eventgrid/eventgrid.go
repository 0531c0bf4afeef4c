// Package eventgrid has the limits of Azure Event Grid's broker. It is steered by the gateway's own
// contract.
package eventgrid

import (
	"time"

	"github.com/fieldgate/fieldgate/config"
)

// Limits are those of the MQTT broker of an Azure Event Grid namespace ("MQTT features support" and
// "quotas and limits"). Retained messages are a preview that is off by default, so there is no
// P/last.
func Limits() config.Platform {
	return config.Platform{
		Word: config.Word{Name: "eventgrid", Doc: "Azure Event Grid: 1,000 messages and 1 MB a second, messages of 512 KiB, sessions of 8 hours, no P/last"},
		Preset: `[mqtt]
publish_rate = 1000
bytes_rate = "1MB"
message_max = "512KiB"
session_expiry = "8h"
[telemetry]
last = false
`,
		KeepAliveMax: 1160 * time.Second,
		SessionMax:   8 * time.Hour,
		WillDelayMax: 300 * time.Second,
		TopicLevels:  8, TopicBytes: 256,
	}
}

package aws

import (
	"time"

	"github.com/fieldgate/fieldgate/config"
)

// Limits are those of AWS IoT Core ("AWS IoT Core endpoints and quotas"; developer guide, "MQTT"
// and "Protocols, port mappings, and authentication"). What exceeds the publish and byte rate is
// discarded without a PUBACK. A session lasts an hour unless the account's quota is raised, to 7
// days at most. Each retained message counts as a second message, so that P/last would double the
// bill.
func Limits() config.Platform {
	return config.Platform{
		Word: config.Word{Name: "aws", Doc: "AWS IoT Core: 100 messages and 512 KB a second, messages of 128 KB, sessions of an hour, no P/last; at port 443 the ALPN that it needs"},
		Preset: `[mqtt]
publish_rate = 100
bytes_rate = "512KB"
message_max = "128KB"
session_expiry = "1h"
[telemetry]
last = false
`,
		KeepAliveMin: 30 * time.Second, KeepAliveMax: 1200 * time.Second,
		SessionMax:  7 * 24 * time.Hour,
		TopicLevels: 8, TopicBytes: 256, FiltersMax: 8, // levels and bytes without those of a rule
		Things: true, Rules: "$aws/rules/",
		ALPN: func(port string, password bool) []string {
			switch {
			case port != "443":
				return nil
			case password: // a custom authorizer
				return []string{"mqtt"}
			}
			return []string{"x-amzn-mqtt-ca"}
		},
	}
}

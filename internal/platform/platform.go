// Package platform is the table of the clouds whose brokers have limits that they do not announce.
// An entry is what the platform's documentation says, as a preset of the configuration and as what
// the configuration is checked against; what is neither documented nor measured has no number. A
// broker that announces its limits in the CONNACK (mosquitto, EMQX, HiveMQ, RabbitMQ) needs no
// entry.
//
// A platform is one function in a file of its own and one line here.
package platform

import "github.com/fieldgate/fieldgate/config"

// Table returns all platforms.
func Table() []config.Platform { return []config.Platform{aws(), eventGrid()} }

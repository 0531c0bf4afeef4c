// Package platforms is the table of the platforms. A broker that announces its limits in the
// CONNACK (mosquitto, EMQX, HiveMQ, RabbitMQ) and is content with the gateway's own contract needs
// no entry.
//
// A platform is a folder of ../ and one line here. Its limits are what its documentation says, as a
// preset of the configuration and as what the configuration is checked against; what is neither
// documented nor measured has no number.
package platforms

import (
	"log/slog"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/platform"
	"github.com/fieldgate/fieldgate/internal/platform/aws"
	"github.com/fieldgate/fieldgate/internal/platform/eventgrid"
	"github.com/fieldgate/fieldgate/internal/platform/plain"
)

// An entry is one platform.
type entry struct {
	limits  config.Platform
	dialect func(*config.Config, platform.Parts, *slog.Logger) platform.Dialect // nil: plain
}

func table() []entry {
	return []entry{
		{aws.Limits(), func(c *config.Config, p platform.Parts, log *slog.Logger) platform.Dialect { return aws.New(c, p, log) }},
		{limits: eventgrid.Limits()},
	}
}

// Limits returns those of all platforms, for the configuration.
func Limits() (list []config.Platform) {
	for _, e := range table() {
		list = append(list, e.limits)
	}
	return list
}

// Dialect returns the dialect of the platform that the configuration names.
func Dialect(c *config.Config, p platform.Parts, log *slog.Logger) platform.Dialect {
	for _, e := range table() {
		if e.limits.Name == c.Cloud.Platform && e.dialect != nil {
			return e.dialect(c, p, log)
		}
	}
	return plain.New(p)
}

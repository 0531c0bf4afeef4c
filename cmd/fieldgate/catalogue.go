package main

import (
	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers/all"
	"github.com/fieldgate/fieldgate/internal/command"
	"github.com/fieldgate/fieldgate/internal/payload/formats"
	"github.com/fieldgate/fieldgate/internal/platform/platforms"
)

// catalogue is what a configuration can name in this program.
func catalogue() config.Catalogue {
	return config.Catalogue{Drivers: all.Specs(), Formats: formats.Words(), Names: formats.Names(), Commands: command.Words(), Allowed: command.Allowed(),
		Platforms: platforms.Limits()}
}

// load reads the configuration that the flags name.
func (o *options) load() (*config.Config, error) { return config.Load(o.config, catalogue()) }

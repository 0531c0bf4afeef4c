package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers/all"
	"github.com/fieldgate/fieldgate/internal/command"
	"github.com/fieldgate/fieldgate/internal/enrol"
	"github.com/fieldgate/fieldgate/internal/payload/formats"
	"github.com/fieldgate/fieldgate/internal/platform/platforms"
)

// catalogue is what a configuration can name in this program.
func catalogue() config.Catalogue {
	return config.Catalogue{Drivers: all.Specs(), Formats: formats.Words(), Names: formats.Names(), Commands: command.Words(), Allowed: command.Allowed(),
		Platforms: platforms.Limits()}
}

// load reads the configuration that the flags name.
func (o *options) load() (*config.Config, error) {
	sources, err := config.ReadSources(o.config, o.enrolled())
	if err != nil {
		return nil, err
	}
	return config.Parse(sources, catalogue())
}

// enrolled is the file with what enrolment added to the configuration of the gateway that is meant:
// the first that there is of the places where one may run, or that this user may not look at.
func (o *options) enrolled() string {
	if o.stateDir != "" {
		return filepath.Join(enrol.Dir(o.stateDir), config.EnrolledFile)
	}
	for _, p := range config.ThisProcess().Running() {
		file := filepath.Join(enrol.Dir(p.State), config.EnrolledFile)
		if _, err := os.Stat(file); err == nil || errors.Is(err, fs.ErrPermission) {
			return file
		}
	}
	return ""
}

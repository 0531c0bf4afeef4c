package shadow

import (
	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/sampling"
)

// Base returns the settings as a configuration has them.
func Base(c *config.Config) Settings {
	base := Settings{Sensors: map[string]sampling.Settings{}, LogLevel: c.Gateway.LogLevel, HealthEvery: c.Gateway.HealthEvery}
	for i := range c.Sensors {
		s := &c.Sensors[i]
		setting := sampling.Settings{Every: s.Every, Enabled: s.Enabled}
		for field, f := range s.Fields {
			if f.Deadband > 0 {
				if setting.Deadband == nil {
					setting.Deadband = map[string]float64{}
				}
				setting.Deadband[field] = f.Deadband
			}
		}
		base.Sensors[s.Name] = setting
	}
	return base
}

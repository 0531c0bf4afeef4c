package launch

import (
	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/contract"
)

// Presets returns what the presets of a configuration set, as status shows it.
func Presets(c *config.Config) (list []contract.Setting) {
	for _, s := range c.Presets() {
		list = append(list, contract.Setting(s))
	}
	return list
}

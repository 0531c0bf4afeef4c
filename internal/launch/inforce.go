package launch

import (
	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/contract"
)

// InForce returns what presets set and how the line is used, as status shows it.
func InForce(c *config.Config) (list []contract.Setting) {
	for _, s := range c.InForce() {
		list = append(list, contract.Setting(s))
	}
	return list
}

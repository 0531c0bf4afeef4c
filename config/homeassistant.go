package config

import (
	"fmt"
	"path/filepath"
	"strings"
)

// HomeAssistant is [homeassistant].
type HomeAssistant struct {
	Discovery bool   `toml:"discovery"` // the gateway and its sensors are announced
	Prefix    string `toml:"prefix"`    // of the topics on which Home Assistant looks for devices
}

// ObjectID returns a name as Home Assistant's topics can have it: without dots.
func ObjectID(name string) string { return strings.ReplaceAll(name, ".", "_") }

// checkHomeAssistant reports a prefix that is no topic, and sensors that would be one device.
func (b *binder) checkHomeAssistant(c *Config) {
	for level := range strings.SplitSeq(c.HomeAssistant.Prefix, "/") {
		if msg := badName(level); msg != "" {
			b.report(b.at("homeassistant.prefix"), "homeassistant.prefix: each level between slashes %s", msg)
			break
		}
	}
	if !c.HomeAssistant.Discovery {
		return
	}
	first := map[string]int{}
	for i := range c.Sensors {
		name := c.Sensors[i].Name
		j, taken := first[ObjectID(name)]
		if !taken {
			first[ObjectID(name)] = i
		} else if other := c.Sensors[j].Name; other != name { // else it is reported as a name that exists
			at := b.at(fmt.Sprintf("sensor.%d.name", j))
			b.report(b.at(fmt.Sprintf("sensor.%d.name", i)), "sensors %q and %q (%s:%d) are both %q to Home Assistant, which knows no dots: rename one of them, or set homeassistant.discovery = false",
				name, other, filepath.Base(at.file), at.line, ObjectID(name))
		}
	}
}

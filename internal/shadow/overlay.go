package shadow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/sampling"
)

// overlay lays the state of a desired document over the base. It returns the settings in force, the
// paths that come from the document, and the paths that were refused with the reasons.
func overlay(base Settings, limits Limits, state json.RawMessage) (Settings, map[string]string, map[string]string) {
	o := &overlayer{settings: base, limits: limits, origins: map[string]string{}, rejected: map[string]string{}}
	o.settings.Sensors = map[string]sampling.Settings{}
	for name, s := range base.Sensors {
		s.Deadband = maps.Clone(s.Deadband)
		o.settings.Sensors[name] = s
	}
	if len(bytes.TrimSpace(state)) == 0 || string(bytes.TrimSpace(state)) == "null" {
		return o.settings, o.origins, o.rejected
	}
	o.object("state", state, func(key string, v json.RawMessage) {
		switch key {
		case "sensors":
			o.object("sensors", v, o.sensor)
		case "gateway":
			o.object("gateway", v, o.gateway)
		default:
			o.reject(key, "the gateway knows sensors and gateway")
		}
	})
	if o.more > 0 {
		o.rejected["…"] = fmt.Sprintf("and %d more", o.more)
	}
	return o.settings, o.origins, o.rejected
}

const (
	maxRejected = 50  // paths that are reported one by one
	maxText     = 128 // bytes of a path, and of a reason
)

type overlayer struct {
	settings          Settings
	limits            Limits
	origins, rejected map[string]string
	more              int // paths that were refused beyond maxRejected
}

func (o *overlayer) reject(path, format string, args ...any) {
	path = cut(path)
	if _, known := o.rejected[path]; !known && len(o.rejected) >= maxRejected {
		o.more++
		return
	}
	o.rejected[path] = cut(fmt.Sprintf(format, args...))
}

// cut bounds a text to maxText bytes, at the border of a character.
func cut(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText-len("…")], "") + "…"
}

// object calls member for every member of a JSON object in the order of the names.
func (o *overlayer) object(path string, text json.RawMessage, member func(key string, v json.RawMessage)) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil || members == nil {
		o.reject(path, "must be an object")
		return
	}
	for _, k := range slices.Sorted(maps.Keys(members)) {
		member(k, members[k])
	}
}

// allowed reports whether the configuration lets a shadow set key, and says so in rejected if it
// does not.
func (o *overlayer) allowed(path, key string) bool {
	if !slices.Contains(o.limits.Allow, key) {
		o.reject(path, "[shadow] allow does not list %q", key)
		return false
	}
	return true
}

func (o *overlayer) gateway(key string, v json.RawMessage) {
	path := "gateway." + key
	switch key {
	case "log_level":
		level, ok := text(v)
		if !o.allowed(path, path) {
			return
		}
		if !ok || !config.LogLevels.Has(level) {
			o.reject(path, "must be one of %s", strings.Join(config.LogLevels.Names(), ", "))
			return
		}
		o.settings.LogLevel = level
	case "health_every":
		if !o.allowed(path, path) {
			return
		}
		d, ok := o.duration(path, v, config.HealthEveryMin, config.HealthEveryMax)
		if !ok {
			return
		}
		o.settings.HealthEvery = d
	default:
		o.reject(path, "no such setting: there are log_level and health_every")
		return
	}
	o.origins[path] = "shadow"
}

func (o *overlayer) sensor(name string, v json.RawMessage) {
	s, ok := o.settings.Sensors[name]
	if !ok {
		o.reject("sensors."+name, "there is no such sensor")
		return
	}
	o.object("sensors."+name, v, func(key string, v json.RawMessage) {
		path := "sensors." + name + "." + key
		switch key {
		case "every":
			if !o.allowed(path, "sensors.every") {
				return
			}
			d, ok := o.duration(path, v, o.limits.EveryMin, o.limits.EveryMax)
			if !ok {
				return
			}
			s.Every = d
		case "enabled":
			if !o.allowed(path, "sensors.enabled") {
				return
			}
			if json.Unmarshal(v, &s.Enabled) != nil || string(bytes.TrimSpace(v)) == "null" {
				o.reject(path, "must be true or false")
				return
			}
		case "deadband":
			if o.allowed(path, "sensors.deadband") {
				o.deadbands(&s, name, path, v)
			}
			return
		default:
			o.reject(path, "no such setting: there are every, enabled and deadband")
			return
		}
		o.origins[path] = "shadow"
	})
	o.settings.Sensors[name] = s
}

func (o *overlayer) deadbands(s *sampling.Settings, sensor, path string, v json.RawMessage) {
	o.object(path, v, func(field string, v json.RawMessage) {
		path := path + "." + field
		var band *float64
		switch err := json.Unmarshal(v, &band); {
		case !slices.Contains(o.limits.Fields[sensor], field):
			o.reject(path, "%s has no numeric field of this name; it has %s", sensor, strings.Join(o.limits.Fields[sensor], ", "))
		case err != nil || band == nil || *band < 0 || math.IsInf(*band, 0):
			o.reject(path, "must be a number that is not negative")
		default:
			if s.Deadband == nil {
				s.Deadband = map[string]float64{}
			}
			s.Deadband[field] = *band
			o.origins[path] = "shadow"
		}
	})
}

func (o *overlayer) duration(path string, v json.RawMessage, low, high time.Duration) (time.Duration, bool) {
	s, ok := text(v)
	d, err := time.ParseDuration(s)
	switch {
	case !ok || err != nil:
		o.reject(path, `must be a duration such as "10s"`)
	case d < low || d > high:
		o.reject(path, "must be from %v to %v", low, high)
	default:
		return d, true
	}
	return 0, false
}

func text(v json.RawMessage) (string, bool) {
	var s *string
	if json.Unmarshal(v, &s) != nil || s == nil {
		return "", false
	}
	return *s, true
}

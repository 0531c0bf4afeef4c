package config

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/fieldgate/fieldgate/drivers"
)

// check looks at values that have the right type and reports those that make no sense.
func (b *binder) check(c *Config, catalogue Catalogue) {
	b.checkGateway(&c.Gateway)
	c.platform = b.checkPlatform(c, catalogue.Platforms)
	b.checkMQTT(&c.MQTT)
	if b.set("mqtt.line") {
		b.oneOf("mqtt.line", c.MQTT.Line, Lines)
	}
	b.checkLine(c)
	b.oneOf("telemetry.compress", c.Telemetry.Compress, Compressions)
	b.between("telemetry.linger", c.Telemetry.Linger, 0, lingerMax)
	b.oneOf("telemetry.format", c.Telemetry.Format, catalogue.Formats)
	b.oneOf("telemetry.unrouted", c.Telemetry.Unrouted, Unrouted)
	if c.Telemetry.BatchMax < 1 || c.Telemetry.BatchMax > 10000 {
		b.report(b.at("telemetry.batch_max"), "telemetry.batch_max must be from 1 to 10000")
	}
	if c.Buffer.Path != "" && !filepath.IsAbs(c.Buffer.Path) {
		b.report(b.at("buffer.path"), "buffer.path must be the full path of the file: the directory in which the gateway starts varies")
	}
	b.oneOf("buffer.when_full", c.Buffer.WhenFull, WhenFull)
	b.between("buffer.max_loss", c.Buffer.MaxLoss, 0, MaxLossMax)
	if c.Buffer.MaxBytes < 8<<20 {
		b.report(b.at("buffer.max_bytes"), "buffer.max_bytes must be at least 8MiB: the write-ahead log alone needs 4MiB")
	}
	for i, key := range c.Shadow.Allow {
		b.oneOf(fmt.Sprintf("shadow.allow.%d", i), key, ShadowKeys)
	}
	b.between("shadow.every_min", c.Shadow.EveryMin, time.Microsecond, c.Shadow.EveryMax)
	for i, name := range c.Commands.Allow {
		b.oneOf(fmt.Sprintf("commands.allow.%d", i), name, catalogue.Commands)
	}
	for i, filter := range c.Commands.ReplyTopics {
		path := fmt.Sprintf("commands.reply_topics.%d", i)
		if msg := badFilter(filter); msg != "" {
			b.report(b.at(path), "%s: %q %s", path, filter, msg)
		}
	}
	if l := c.Metrics.Listen; l != "" {
		host, _, err := net.SplitHostPort(l)
		if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			b.report(b.at("metrics.listen"), `metrics.listen must be a loopback address and a port, such as "127.0.0.1:9142": the page has no access control`)
		}
	}
	b.checkPage(&c.Page)
}

func (b *binder) checkGateway(g *Gateway) {
	if b.set("gateway.id") || g.ID != "" {
		b.name("gateway.id", g.ID)
	}
	for level := range strings.SplitSeq(g.TopicPrefix, "/") {
		if msg := badName(level); msg != "" {
			b.report(b.at("gateway.topic_prefix"), "gateway.topic_prefix: each level between slashes %s", msg)
			break
		}
	}
	b.checkLabels("gateway.labels", g.Labels)
	b.oneOf("gateway.log_level", g.LogLevel, LogLevels)
	b.between("gateway.health_every", g.HealthEvery, HealthEveryMin, HealthEveryMax)
	b.between("gateway.wait_for_clock", g.WaitForClock, 0, 24*time.Hour)
	b.between("gateway.confirm_within", g.ConfirmWithin, 10*time.Second, 24*time.Hour)
}

var schemes = []string{"mqtt", "mqtts", "ws", "wss", "unix"}

func (b *binder) checkMQTT(m *MQTT) {
	if !b.set("mqtt.urls") {
		b.report(b.at("mqtt"), `mqtt.urls is missing: name the broker, such as urls = ["mqtts://broker.example.com:8883"]; urls = [] keeps readings until there is one`)
	}
	for i, s := range m.URLs {
		path := fmt.Sprintf("mqtt.urls.%d", i)
		u, err := url.Parse(s)
		switch {
		case err != nil:
			b.report(b.at(path), "%s: %q is not a URL: write mqtt://host:1883, mqtts://host:8883, wss://host/mqtt or unix:///path", path, s)
		case u.User != nil:
			b.reportSecret(b.at(path), "%s: user names and passwords do not belong in the URL: use mqtt.username and mqtt.password_file", path)
		case foreignScheme[u.Scheme] != "":
			b.report(b.at(path), "%s: %s:// is called %s:// here: write %s://%s", path, u.Scheme, foreignScheme[u.Scheme], foreignScheme[u.Scheme], u.Host)
		case !slices.Contains(schemes, u.Scheme):
			b.report(b.at(path), "%s: the scheme must be mqtt, mqtts, ws, wss or unix, not %q%s", path, u.Scheme, DidYouMean(u.Scheme, schemes))
		case u.Scheme == "unix" && u.Path == "":
			b.report(b.at(path), "%s: write the socket's path with three slashes: unix:///run/mosquitto.sock", path)
		case u.Scheme != "unix" && u.Hostname() == "":
			b.report(b.at(path), "%s: %q names no host", path, s)
		case u.Port() != "" && !isPort(u.Port()):
			b.report(b.at(path), "%s: port %s: want 1 to 65535", path, u.Port())
		}
	}
	sources := 0
	for _, s := range []string{m.PasswordCredential, m.PasswordFile, m.PasswordEnv} {
		if s != "" {
			sources++
		}
	}
	if len(m.PasswordCommand) > 0 {
		sources++
	}
	if sources > 1 {
		b.report(b.at("mqtt"), "mqtt: give one of password_credential, password_file, password_env and password_command, not several")
	}
	if (m.TLS.CertFile == "") != (m.TLS.KeyFile == "") {
		b.report(b.at("mqtt.tls"), "mqtt.tls: cert_file and key_file go together")
	}
	b.checkSecurity(m, sources > 0)
	b.between("mqtt.keep_alive", m.KeepAlive, time.Second, 65535*time.Second)
	b.between("mqtt.reconnect_max", m.ReconnectMax, time.Second, time.Hour)
	b.between("mqtt.session_expiry", m.SessionExpiry, 0, 365*24*time.Hour)
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// checkSensors finds each sensor's driver in the catalogue, binds its options and checks the rest.
func (b *binder) checkSensors(sensors []Sensor, catalogue []drivers.Spec) {
	known := make([]string, len(catalogue))
	for i, s := range catalogue {
		known[i] = s.Name
	}
	slices.Sort(known)
	first := map[string]pos{}
	var sound []int // those whose options are what the file says
	for i := range sensors {
		s := &sensors[i]
		path := fmt.Sprintf("sensor.%d", i)
		if b.required(path, "name", s.Name) && b.name(path+".name", s.Name) {
			if at, twice := first[s.Name]; twice {
				b.report(b.at(path+".name"), "a sensor named %q exists already (%s:%d): names must be unique", s.Name, filepath.Base(at.file), at.line)
			} else {
				first[s.Name] = b.at(path + ".name")
			}
		}
		if !b.set(path + ".every") {
			b.required(path, "every", "")
		} else if s.Every != 0 {
			b.between(path+".every", s.Every, time.Microsecond, 24*time.Hour)
		}
		b.between(path+".timeout", s.Timeout, 0, time.Hour)
		b.oneOf(path+".priority", s.Priority, Priorities)
		b.checkLabels(path+".labels", s.Labels)
		if b.set(path + ".linger") { // else telemetry.linger is checked
			b.between(path+".linger", s.Linger, 0, lingerMax)
		}
		b.between(path+".frozen_after", s.FrozenAfter, 0, 365*24*time.Hour)
		b.between(path+".ttl", s.TTL, 0, 10*365*24*time.Hour)
		if !b.required(path, "driver", s.Driver) {
			continue
		}
		j := slices.IndexFunc(catalogue, func(c drivers.Spec) bool { return c.Name == s.Driver })
		if j < 0 {
			b.report(b.at(path+".driver"), "unknown driver %q%s; known drivers: %s", s.Driver, DidYouMean(s.Driver, known), strings.Join(known, ", "))
			continue
		}
		s.Spec = catalogue[j]
		b.checkPause(s, path)
		b.checkBus(s, path)
		if b.bindOptions(s, path) {
			sound = append(sound, i)
		}
	}
	b.checkSharing(sensors, sound)
}

// checkPause refuses an interval of 0, which reads without pause, but for devices that speak by
// themselves: those that have a serial line for themselves.
func (b *binder) checkPause(s *Sensor, path string) {
	if b.set(path+".every") && s.Every == 0 && (s.Spec.Bus != drivers.SerialBus || s.Spec.Shared) {
		b.report(b.at(path+".every"), "%s.every must not be 0: driver %q does not wait for its device, and would be read without pause", path, s.Driver)
	}
}

func (b *binder) checkBus(s *Sensor, path string) {
	switch {
	case s.Spec.Bus == drivers.NoBus && s.Bus != "":
		b.report(b.at(path+".bus"), "driver %q does not use a bus: remove this line", s.Driver)
	case s.Spec.Bus != drivers.NoBus && s.Bus == "":
		b.report(b.at(path), "%s.bus is missing: driver %q needs one, such as %q", path, s.Driver, s.Spec.Bus.Example())
	case s.Bus != "":
		if err := s.Spec.Bus.Check(s.Bus); err != nil {
			b.report(b.at(path+".bus"), "%s.bus %v", path, err)
		}
	}
}

// at returns where the value at path stands, or the nearest table around it.
func (b *binder) at(path string) pos {
	for {
		if n, ok := b.place[path]; ok {
			return n.val
		}
		i := strings.LastIndexByte(path, '.')
		if i < 0 {
			return b.place[""].val
		}
		path = path[:i]
	}
}

func (b *binder) set(path string) bool { _, ok := b.place[path]; return ok }

func (b *binder) required(path, key, value string) bool {
	if value == "" && !b.set(path+"."+key) {
		b.report(b.at(path), "%s.%s is missing", path, key)
	}
	return value != ""
}

func (b *binder) name(path, value string) bool {
	msg := badName(value)
	if msg != "" {
		b.report(b.at(path), "%s %s", path, msg)
	}
	return msg == ""
}

// badName says why s cannot be a level of a topic and a name in the store; "" if it can.
func badName(s string) string {
	if s == "" || len(s) > 64 {
		return "must have 1 to 64 characters"
	}
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.') {
			return fmt.Sprintf("must not contain %q: it becomes a level of MQTT topics; use letters, digits, - _ and .", r)
		}
	}
	return ""
}

func (b *binder) oneOf(path, value string, words Words) {
	if !words.Has(value) {
		known := words.Names()
		b.report(b.at(path), "%s must be one of %s, not %q%s", path, strings.Join(known, ", "), value, DidYouMean(value, known))
	}
}

func (b *binder) between(path string, d, low, high time.Duration) {
	if d < low || d > high {
		b.report(b.at(path), "%s must be from %s to %s, not %s", path, DurationText(low), DurationText(high), DurationText(d))
	}
}

func sortedMapKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// badFilter says what is wrong with a filter of Response Topics, or "".
func badFilter(filter string) string {
	levels := strings.Split(filter, "/")
	for i, level := range levels {
		switch {
		case level == "#" && i < len(levels)-1:
			return "has levels after #"
		case len(level) > 1 && strings.ContainsAny(level, "+#"):
			return "has a wildcard that is not alone in its level"
		}
	}
	switch {
	case filter == "":
		return "matches nothing"
	case filter[0] == '$':
		return "begins with $: replies never go to the broker's own topics"
	case len(filter) > 1<<10:
		return "is longer than 1024 bytes"
	case strings.ContainsFunc(filter, unicode.IsControl):
		return "has control characters"
	}
	return ""
}

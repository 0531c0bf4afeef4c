package config

import (
	"fmt"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
)

// Online says when the gateway has a connection: 0 is always, anything else is every so often, long
// enough to send what waits and to receive commands.
type Online time.Duration

const (
	onlineMin = time.Minute // a connection over a slow line takes most of it
	onlineMax = 24 * time.Hour
	lingerMax = 24 * time.Hour
)

// String returns what a file has.
func (o Online) String() string {
	if o == 0 {
		return "always"
	}
	return "every " + DurationText(time.Duration(o))
}

// WillDelay is how long after a gateway that sleeps between its connections has left it is called
// lost: the sleep, and as much again as a few failed attempts take.
func WillDelay(o Online) time.Duration {
	if o == 0 {
		return 0
	}
	return time.Duration(o) + max(time.Duration(o)/4, time.Minute)
}

func (b *binder) online(n *node, v reflect.Value, path string) {
	s, _ := n.scalar.(string)
	text, every := strings.CutPrefix(s, "every ")
	d, err := time.ParseDuration(strings.TrimSpace(text))
	switch {
	case s == "always":
		v.SetInt(0)
	case !every || err != nil:
		b.misfit(n, `%s must be "always" or such as "every 15m", not %s`, path, n.describe())
	case d < onlineMin || d > onlineMax:
		b.misfit(n, `%s: want "every 1m" to "every 24h": a connection needs time to be made and to send what waits`, path)
	default:
		v.SetInt(int64(d))
	}
}

// checkLine checks what says how, when and how fast the line is used.
func (b *binder) checkLine(c *Config) {
	m := &c.MQTT
	if b.set("mqtt.publish_rate") && (m.PublishRate < 0.01 || m.PublishRate > 1e6) {
		b.report(b.at("mqtt.publish_rate"), "mqtt.publish_rate must be from 0.01 to 1000000 messages a second: leave it out for no limit")
	}
	if b.set("mqtt.bytes_rate") && m.BytesRate < 100 {
		b.report(b.at("mqtt.bytes_rate"), "mqtt.bytes_rate must be at least 100 bytes a second: leave it out for no limit")
	}
	if b.set("mqtt.message_max") && (m.MessageMax < 1<<10 || m.MessageMax > 256<<20) {
		b.report(b.at("mqtt.message_max"), "mqtt.message_max must be from 1KiB to 256MiB: one reading with its topic may need as much as the first, and MQTT carries no more than the second")
	}
	if b.set("mqtt.bytes_per_day") && m.BytesPerDay < 10_000 {
		b.report(b.at("mqtt.bytes_per_day"), "mqtt.bytes_per_day must be at least 10KB: leave it out for no limit")
	}
	b.between("mqtt.drain_delay_max", m.DrainDelayMax, 0, 24*time.Hour)
	if m.Online > 0 && m.SessionExpiry <= WillDelay(m.Online) {
		at := "mqtt.session_expiry"
		if n := b.place[at]; n == nil || n.val.file == b.preset[at] { // no line of a file
			at = "mqtt.online"
		}
		b.report(b.at(at), "mqtt.session_expiry is %s and must be longer than %s with online = %q: commands wait in the session while the gateway sleeps; choose a shorter sleep, or set session_expiry if the broker keeps sessions for that long",
			DurationText(m.SessionExpiry), DurationText(WillDelay(m.Online)), m.Online)
	}
	if m.Online > 0 && m.DrainDelayMax > 0 {
		b.report(b.at("mqtt.drain_delay_max"), "mqtt.drain_delay_max goes with online = \"always\" only: a gateway that sleeps stays until everything is sent; give the gateways of a fleet different periods instead")
	}
	b.checkProxy(m)
	if len(m.PasswordCommand) > 0 && !filepath.IsAbs(m.PasswordCommand[0]) {
		b.report(b.at("mqtt.password_command"), "mqtt.password_command: %q must be the full path of a program, and its arguments strings of their own: no shell is asked", m.PasswordCommand[0])
	}
	if b.set("mqtt.password_command") && len(m.PasswordCommand) == 0 {
		b.report(b.at("mqtt.password_command"), "mqtt.password_command names no program")
	}
	for i, p := range m.TLS.ALPN {
		if path := fmt.Sprintf("mqtt.tls.alpn.%d", i); p == "" || len(p) > 255 {
			b.report(b.at(path), "%s must have 1 to 255 bytes", path)
		}
	}
}

func (b *binder) checkProxy(m *MQTT) {
	if m.Proxy == "" || m.Proxy == NoProxy {
		if m.ProxyUsername != "" || m.ProxyPasswordFile != "" {
			b.report(b.at("mqtt"), "mqtt: proxy_username and proxy_password_file go with mqtt.proxy")
		}
		return
	}
	u, err := url.Parse(m.Proxy)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "socks5":
		b.report(b.at("mqtt.proxy"), `mqtt.proxy must be such as "http://proxy:3128" or "socks5://proxy:1080", or %q for none`, NoProxy)
	case u.User != nil:
		b.reportSecret(b.at("mqtt.proxy"), "mqtt.proxy: user names and passwords do not belong in the URL: use proxy_username and proxy_password_file")
	case u.Port() != "" && !isPort(u.Port()):
		b.report(b.at("mqtt.proxy"), "mqtt.proxy: port %s: want 1 to 65535", u.Port())
	}
	if m.ProxyPasswordFile != "" && m.ProxyUsername == "" {
		b.report(b.at("mqtt.proxy_password_file"), "mqtt.proxy_password_file needs mqtt.proxy_username")
	}
}

// checkTimeFrom: an https URL, or the name of a sensor that gives the time.
func (b *binder) checkTimeFrom(c *Config) {
	from := c.Gateway.TimeFrom
	if from == "" {
		return
	}
	if strings.Contains(from, "://") {
		if u, err := url.Parse(from); err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
			b.report(b.at("gateway.time_from"), `gateway.time_from must be such as "https://example.com/": the time of a server without a verified certificate could be anybody's`)
		}
		return
	}
	names := make([]string, len(c.Sensors))
	for i := range c.Sensors {
		s := &c.Sensors[i]
		if names[i] = s.Name; s.Name != from {
			continue
		}
		if s.fields != nil && !slices.ContainsFunc(s.fields, func(f drivers.Field) bool { return f.Name == "time" && f.Kind == drivers.KindString }) {
			b.report(b.at("gateway.time_from"), "gateway.time_from: sensor %q has no field time with the time in UTC, such as 2026-11-20T15:04:05.000Z: driver nmea has one, if time is in its options.fields", from)
		}
		return
	}
	b.report(b.at("gateway.time_from"), "gateway.time_from: %q is neither an https:// URL nor a sensor%s", from, DidYouMean(from, names))
}

// Linger returns how long live readings of a sensor wait for company: not at all in a gateway that
// sleeps, whose connections are for sending, nor of a sensor that the configuration does not have.
// They wait for at most half of their ttl, so that they are not too old when they arrive.
func (c *Config) Linger(sensor string) time.Duration {
	for i := range c.Sensors {
		if s := &c.Sensors[i]; s.Name == sensor && c.MQTT.Online == 0 {
			if s.TTL > 0 {
				return min(s.Linger, s.TTL/2)
			}
			return s.Linger
		}
	}
	return 0
}

// sensorDefaults gives the sensors what [telemetry] says, unless they say it themselves.
func (b *binder) sensorDefaults(c *Config) {
	for i := range c.Sensors {
		path := fmt.Sprintf("sensor.%d", i)
		if !b.set(path + ".last") {
			c.Sensors[i].Last = c.Telemetry.Last
		}
		if !b.set(path + ".linger") {
			c.Sensors[i].Linger = c.Telemetry.Linger
		}
	}
}

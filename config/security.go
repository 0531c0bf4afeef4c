package config

import (
	"fmt"
	"net"
	"net/url"
	"time"
)

// checkSecurity reports protection that the file asks for and that would silently not be there.
func (b *binder) checkSecurity(m *MQTT, password bool) {
	if password && m.Username == "" {
		b.report(b.at("mqtt"), "mqtt: there is a password but no mqtt.username: a broker treats that as a guest, or refuses it")
	}
	if !b.set("mqtt.tls") {
		return
	}
	for i, s := range m.URLs {
		if u, err := url.Parse(s); err == nil && (u.Scheme == "mqtt" || u.Scheme == "ws") {
			path := fmt.Sprintf("mqtt.urls.%d", i)
			b.report(b.at(path), "%s: [mqtt.tls] is set, and %s:// connects without TLS: write %ss://, or remove [mqtt.tls]", path, u.Scheme, u.Scheme)
		}
	}
	if len(m.URLs) > 0 && allUnix(m.URLs) {
		b.report(b.at("mqtt.tls"), "mqtt.tls: unix:// connects without TLS: remove [mqtt.tls], or name a mqtts:// broker")
	}
}

func allUnix(urls []string) bool {
	for _, s := range urls {
		if u, err := url.Parse(s); err != nil || u.Scheme != "unix" {
			return false
		}
	}
	return true
}

// Warnings says what of a configuration works and may not be meant, a sentence each.
func (c *Config) Warnings() []string {
	var list []string
	m := c.MQTT
	if s := c.NoBroker(); s != "" {
		list = append(list, s)
	}
	for _, s := range m.URLs {
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "mqtt" && u.Scheme != "ws" || isLocal(u.Hostname()) {
			continue
		}
		if m.PasswordCredential != "" || m.PasswordFile != "" || m.PasswordEnv != "" {
			list = append(list, fmt.Sprintf("%s: everyone on the way can read the password: use %ss:// if the broker offers it", s, u.Scheme))
		}
	}
	if m.BytesPerDay > 0 && len(c.LowPriority()) == 0 {
		list = append(list, "mqtt.bytes_per_day only warns: beyond it readings of sensors with priority = \"low\" wait, and no sensor has that")
	}
	for i := range c.Sensors {
		s := &c.Sensors[i]
		if o, ok := s.Options.(interface{ Warnings() []string }); ok {
			for _, w := range o.Warnings() {
				list = append(list, fmt.Sprintf("sensor %q: %s", s.Name, w))
			}
		}
		switch online := time.Duration(m.Online); {
		case s.TTL == 0:
		case online > 0 && s.TTL <= online:
			list = append(list, fmt.Sprintf("sensor %q: its ttl of %s is not longer than mqtt.online (%s): most of its readings expire while the gateway sleeps", s.Name, DurationText(s.TTL), m.Online))
		case c.Linger(s.Name) < s.Linger && online == 0:
			list = append(list, fmt.Sprintf("sensor %q: its linger of %s is longer than half of its ttl of %s: its readings wait for company for %s only", s.Name, DurationText(s.Linger), DurationText(s.TTL), DurationText(c.Linger(s.Name))))
		}
	}
	return append(list, c.identity...)
}

// NoBroker says that the configuration names no broker, and what to do; "" if it names one.
func (c *Config) NoBroker() string {
	if c.waits != "" {
		return c.waits
	}
	if len(c.MQTT.URLs) > 0 {
		return ""
	}
	return fmt.Sprintf("no broker yet: set mqtt.urls in %s; until then readings are kept", c.noBroker)
}

// isLocal reports whether a host is this machine.
func isLocal(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

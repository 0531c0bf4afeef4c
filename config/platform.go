package config

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
)

// A Platform is what is documented, or was measured, of a broker whose limits it does not announce
// itself. Zero fields are not known.
type Platform struct {
	Word
	// Preset is the keys that it sets, in TOML. Those of the files come on top.
	Preset string

	KeepAliveMin, KeepAliveMax time.Duration
	SessionMax                 time.Duration // of the session expiry that it grants
	WillDelayMax               time.Duration
	TopicLevels                int // of a topic, at most
	TopicBytes                 int
	FiltersMax                 int // in one SUBSCRIBE
	// Things: it has a registry of devices, with shadows and jobs, below $aws/things.
	Things bool
	// Rules is what Telemetry.Topic may begin with, "$…/" and the name of a rule, although no
	// client can subscribe to it; "": nothing.
	Rules string
	// ALPN returns the protocols that a port needs; password: the gateway has one, not a
	// certificate.
	ALPN func(port string, password bool) []string
}

// PlatformWords returns the names of platforms.
func PlatformWords(platforms []Platform) (words Words) {
	for _, p := range platforms {
		words = append(words, p.Word)
	}
	return words
}

// metered is the preset of the line of that name.
const metered = `[gateway]
health_every = "1h"
[mqtt]
keep_alive = "15m"
[telemetry]
linger = "15m"
compress = "zstd"
last = false
`

// presets returns the tree of the presets that the files' tree names, nil if it names none. The
// line's come on top of the platform's.
func presets(r *reporter, files *node, catalogue Catalogue) (tree *node) {
	platform := files.text("cloud", "platform")
	if i := slices.IndexFunc(catalogue.Platforms, func(p Platform) bool { return p.Name == platform }); i >= 0 {
		tree = parse(r, "platform "+platform, []byte(catalogue.Platforms[i].Preset))
	}
	if files.text("mqtt", "line") == LineMetered {
		tree = merge(tree, parse(r, "line "+LineMetered, []byte(metered)))
	}
	return tree
}

// text returns a string of the tree, "" if there is none.
func (n *node) text(path ...string) string {
	for _, key := range path {
		if n == nil || n.table == nil {
			return ""
		}
		n = n.table[key]
	}
	if n == nil {
		return ""
	}
	s, _ := n.scalar.(string)
	return s
}

// checkPlatform returns the platform that the configuration names, and reports what it does not
// allow.
func (b *binder) checkPlatform(c *Config, platforms []Platform) (p Platform) {
	if b.set("cloud.platform") {
		b.oneOf("cloud.platform", c.Cloud.Platform, PlatformWords(platforms))
	}
	if i := slices.IndexFunc(platforms, func(p Platform) bool { return p.Name == c.Cloud.Platform }); i >= 0 {
		p = platforms[i]
	}
	b.checkThing(c, &p)
	b.checkTelemetryTopic(c.Telemetry.Topic, &p)
	if p.Name == "" {
		return p
	}
	if k := c.MQTT.KeepAlive; k < p.KeepAliveMin || p.KeepAliveMax > 0 && k > p.KeepAliveMax {
		b.report(b.at("mqtt.keep_alive"), "mqtt.keep_alive is %v: %s allows %v to %v", k, p.Name, p.KeepAliveMin, p.KeepAliveMax)
	}
	if s := c.MQTT.SessionExpiry; p.SessionMax > 0 && s > p.SessionMax {
		b.report(b.at("mqtt.session_expiry"), "mqtt.session_expiry is %s: %s keeps sessions for at most %s", DurationText(s), p.Name, DurationText(p.SessionMax))
	}
	readings, at := c.Gateway.TopicPrefix+"/"+c.Gateway.ID+"/telemetry/", "gateway.topic_prefix"
	if before := strings.TrimSuffix(c.Telemetry.Topic, TopicPart); before != "" && !strings.HasPrefix(before, "$") {
		readings, at = before+readings, "telemetry.topic"
	}
	if longest := readings + "s/undated"; p.TopicLevels > 0 && strings.Count(longest, "/") >= p.TopicLevels {
		b.report(b.at(at), "%s has too many levels: topics such as %s have %d, and %s allows %d", at, longest, strings.Count(longest, "/")+1, p.Name, p.TopicLevels)
	}
	for i := range c.Sensors {
		topic := readings + c.Sensors[i].Name + "/undated"
		if p.TopicBytes > 0 && len(topic) > p.TopicBytes {
			b.report(b.at(fmt.Sprintf("sensor.%d.name", i)), "the topic %s has %d bytes, and %s allows %d: shorten %s or the names", topic, len(topic), p.Name, p.TopicBytes, at)
		}
	}
	if asleep := WillDelay(c.MQTT.Online); c.MQTT.Online > 0 && p.WillDelayMax > 0 && asleep > p.WillDelayMax {
		b.report(b.at("mqtt.online"), "mqtt.online: %s publishes a will %v after a connection ended at the latest, and a gateway that is online %s needs %v: a gateway that sleeps would be called lost", p.Name, p.WillDelayMax, c.MQTT.Online, asleep)
	}
	return p
}

// Names of things, of their shadows and of rules, as AWS IoT allows them.
var (
	thingName  = regexp.MustCompile(`^[a-zA-Z0-9:_-]{1,128}$`)
	shadowName = regexp.MustCompile(`^[a-zA-Z0-9:_-]{1,64}$`)
	ruleName   = regexp.MustCompile(`^[a-zA-Z0-9_]{1,128}/$`)
)

// checkThing reports what a platform does not allow of a thing and its shadow.
func (b *binder) checkThing(c *Config, p *Platform) {
	for _, key := range []string{"cloud.thing", "cloud.shadow"} {
		if b.set(key) && !p.Things {
			b.report(b.at(key), "%s: only a platform with things has them: set cloud.platform = \"aws\", or leave it out", key)
		}
	}
	if !p.Things {
		return
	}
	if thing := cmp.Or(c.Cloud.Thing, c.MQTT.ClientID, c.Gateway.ID); thing != "" && !thingName.MatchString(thing) {
		at := "cloud.thing"
		if !b.set(at) {
			at = "cloud.platform"
		}
		b.report(b.at(at), "cloud.thing is %q: %s allows letters, digits, \":\", \"_\" and \"-\", at most 128", thing, p.Name)
	}
	if c.Cloud.Shadow != "" && !shadowName.MatchString(c.Cloud.Shadow) {
		b.report(b.at("cloud.shadow"), "cloud.shadow is %q: %s allows letters, digits, \":\", \"_\" and \"-\", at most 64", c.Cloud.Shadow, p.Name)
	}
}

// checkTelemetryTopic reports a topic of readings that cannot be used.
func (b *binder) checkTelemetryTopic(topic string, p *Platform) {
	const key = "telemetry.topic"
	before, last := strings.CutSuffix(topic, TopicPart)
	rule, rules := strings.CutPrefix(before, p.Rules)
	switch {
	case !last || before != "" && !strings.HasSuffix(before, "/") || strings.ContainsAny(before, "+#{}") || strings.ContainsFunc(before, unicode.IsControl):
		b.report(b.at(key), "%s is %q: it must end with /%s, which stands for the topic that readings have otherwise, and have no wildcards", key, topic, TopicPart)
	case !strings.HasPrefix(topic, "$"):
	case p.Rules == "" || !rules || !ruleName.MatchString(rule):
		b.report(b.at(key), "%s is %q: below $ there are only the rules of a platform, such as \"$aws/rules/NAME/%s\" with cloud.platform = \"aws\"; NAME has letters, digits and \"_\"", key, topic, TopicPart)
	}
}

// Platform returns the platform that the configuration names, the zero one if it names none.
func (c *Config) Platform() Platform { return c.platform }

// Protocols returns what to offer by ALPN (RFC 7301) to a broker: mqtt.tls.alpn, or what the
// platform needs at the URL's port. Only mqtts has it.
func (c *Config) Protocols(broker *url.URL) []string {
	switch {
	case broker.Scheme != "mqtts":
		return nil
	case len(c.MQTT.TLS.ALPN) > 0:
		return c.MQTT.TLS.ALPN
	case c.platform.ALPN != nil:
		return c.platform.ALPN(broker.Port(), c.MQTT.TLS.CertFile == "")
	}
	return nil
}

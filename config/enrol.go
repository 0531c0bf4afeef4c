package config

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// EnrolledFile is the name of what enrolment writes: the keys of the configuration that are this
// gateway's own.
const EnrolledFile = "enrolled.toml"

// wantsEnrolment reports whether one of the sources has [enrol]. Mistakes in them are Parse's.
func wantsEnrolment(sources []Source) bool {
	for _, s := range sources {
		var has struct {
			Enrol map[string]any `toml:"enrol"`
		}
		if strings.Contains(s.Text, "enrol") && toml.Unmarshal([]byte(s.Text), &has) == nil && has.Enrol != nil {
			return true
		}
	}
	return false
}

// checkEnrol reports an [enrol] that cannot work.
func (b *binder) checkEnrol(c *Config) {
	if !b.set("enrol") {
		return
	}
	e := &c.Enrol
	for _, k := range []struct{ key, value, what string }{
		{"claim_cert", e.ClaimCert, "the file with the claim's certificate"}, {"claim_key", e.ClaimKey, "the file with the claim's key"}, {"template", e.Template, "the name of the provisioning template"},
	} {
		switch at := "enrol." + k.key; {
		case k.value == "":
			b.report(b.at(at), "%s is missing: %s", at, k.what)
		case k.key != "template" && !filepath.IsAbs(k.value):
			b.report(b.at(at), "%s must be the full path of the file: the directory in which the gateway starts varies", at)
		case k.key == "template" && !templateName(k.value):
			b.report(b.at(at), "%s is %q: a template's name has letters, digits, \"_\" and \"-\", at most 36", at, k.value)
		}
	}
	if len(e.CommonName) > 64 {
		b.report(b.at("enrol.common_name"), "enrol.common_name must have at most 64 characters")
	}
	if !c.platform.Things {
		b.report(b.at("enrol"), "enrol: only a platform with things enrols gateways: set cloud.platform = \"aws\", or leave it out")
	}
	for i, u := range c.MQTT.URLs {
		if !strings.HasPrefix(u, "mqtts:") && !strings.HasPrefix(u, "wss:") {
			at := fmt.Sprintf("mqtt.urls.%d", i)
			b.report(b.at(at), "%s: a claim is a certificate, and %s has no TLS: write mqtts://", at, u)
		}
	}
	if len(c.MQTT.URLs) == 0 {
		b.report(b.at("enrol"), "enrol: mqtt.urls must name the platform's endpoint, such as urls = [\"mqtts://xxxxxxxx-ats.iot.eu-central-1.amazonaws.com:8883\"]")
	}
	if n := b.place["mqtt.tls.cert_file"]; n != nil && filepath.Base(n.val.file) != EnrolledFile {
		b.report(n.val, "mqtt.tls.cert_file: with [enrol] the gateway gets a certificate of its own: remove cert_file and key_file, or [enrol]")
	}
}

// templateName reports whether a provisioning template of AWS IoT can have a name.
func templateName(s string) bool {
	return len(s) <= 36 && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-')
	})
}

// ToEnrol reports whether the gateway has to get an identity before it can connect.
func (c *Config) ToEnrol() bool { return c.Enrol.Template != "" && c.MQTT.TLS.CertFile == "" }

// WithoutBroker returns a copy for a gateway that keeps its readings until it has an identity; why
// is what NoBroker says.
func (c *Config) WithoutBroker(why string) *Config {
	copied := *c
	copied.MQTT.URLs, copied.waits = []string{}, why
	return &copied
}

// WithClaim returns a copy that connects with the claim.
func (c *Config) WithClaim() *Config {
	copied := *c
	copied.MQTT.TLS.CertFile, copied.MQTT.TLS.KeyFile = c.Enrol.ClaimCert, c.Enrol.ClaimKey
	return &copied
}

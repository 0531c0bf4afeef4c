package enrol

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/fieldgate/fieldgate/config"
)

// topicPrefix is what a template may give a gateway.
const topicPrefix = "topic_prefix"

// taken returns what the gateway takes of what a template gives it.
func taken(given map[string]string) map[string]string {
	if given[topicPrefix] == "" {
		return nil
	}
	return map[string]string{topicPrefix: given[topicPrefix]}
}

// fragment is enrolled.toml.
func (e *Enrolment) fragment(s *state) string {
	var b strings.Builder
	b.WriteString("# Written when this gateway was enrolled. The configuration's own files override it.\n")
	id, prefix := gatewayID(s.Thing), s.Configuration[topicPrefix]
	if id != "" || prefix != "" {
		b.WriteString("\n[gateway]\n")
	}
	if id != "" {
		fmt.Fprintf(&b, "id = %s\n", quote(id))
	}
	if prefix != "" {
		fmt.Fprintf(&b, "topic_prefix = %s\n", quote(prefix))
	}
	fmt.Fprintf(&b, "\n[cloud]\nthing = %s\n\n[mqtt]\nclient_id = %s\n\n[mqtt.tls]\ncert_file = %s\nkey_file = %s\n",
		quote(s.Thing), quote(s.Thing), quote(e.path(certificateFile)), quote(e.path(keyFile)))
	return b.String()
}

// gatewayID returns the thing's name as gateway.id; "" if it cannot be one.
func gatewayID(thing string) string {
	if thing == "" || len(thing) > 64 || strings.Contains(thing, ":") {
		return ""
	}
	return thing
}

// quote returns a text as TOML has it, with the dollar sign that the configuration replaces.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '$':
			b.WriteString("$$")
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// Leftover says which files of the claim are still on the board of a gateway that is enrolled, and
// what to do.
func Leftover(c *config.Config) []string {
	if c.Enrol.Template == "" || c.ToEnrol() {
		return nil
	}
	var left []string
	for _, name := range []string{c.Enrol.ClaimCert, c.Enrol.ClaimKey} {
		if _, err := (Disk{}).Read(name); err == nil || errors.Is(err, fs.ErrPermission) {
			left = append(left, name)
		}
	}
	if len(left) == 0 {
		return nil
	}
	return []string{"the gateway is enrolled, and the claim, which can enrol other boards, is still here: sudo rm " + strings.Join(left, " ")}
}

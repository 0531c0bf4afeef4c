package setup

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// A draft is the configuration as far as it is known.
type draft struct {
	id         string
	url        string // "" if there is no broker yet
	username   string
	password   *string
	ca         []byte // PEM
	caNote     string // what ca is
	serverName string
	sensors    []sensor
}

// A sensor is a table of the draft.
type sensor struct {
	name, driver, bus string
	options           []string // lines
}

// render returns the text of a configuration file.
func (d *draft) render(file, passwordFile, caFile string) string {
	var b strings.Builder
	b.WriteString("# fieldgate's configuration, begun by fieldgate init.\n" +
		"# After a change: fieldgate check, then fieldgate reload.\n" +
		"# Every key: /usr/share/doc/fieldgate/fieldgate.example.toml\n# conf.d/*.toml beside this file is read as well.\n\n")
	if d.id != "" {
		fmt.Fprintf(&b, "[gateway]\nid = %s\n\n", quote(d.id))
	}
	b.WriteString("[mqtt]\n")
	if d.url == "" {
		b.WriteString("urls = []            # no broker yet: readings are kept. Such as [\"mqtts://broker.example.com:8883\"]\n")
	} else {
		fmt.Fprintf(&b, "urls = [%s]\n", quote(d.url))
	}
	if d.username != "" {
		fmt.Fprintf(&b, "username = %s\n", quote(d.username))
	}
	if d.password != nil {
		fmt.Fprintf(&b, "password_file = %s\n", quote(passwordFile))
	}
	if d.ca != nil || d.serverName != "" {
		b.WriteString("\n[mqtt.tls]\n")
	}
	if d.ca != nil {
		fmt.Fprintf(&b, "ca_file = %s", quote(caFile))
		if d.caNote != "" {
			fmt.Fprintf(&b, "    # %s", d.caNote)
		}
		b.WriteString("\n")
	}
	if d.serverName != "" {
		fmt.Fprintf(&b, "server_name = %s    # the name in the broker's certificate\n", quote(d.serverName))
	}
	for _, s := range d.sensors {
		b.WriteString("\n" + s.render())
	}
	return b.String()
}

const every = "10s"

func (s *sensor) render() string {
	var b strings.Builder
	fmt.Fprintf(&b, "[[sensor]]\nname = %s\ndriver = %s\n", quote(s.name), quote(s.driver))
	if s.bus != "" {
		fmt.Fprintf(&b, "bus = %s\n", quote(s.bus))
	}
	fmt.Fprintf(&b, "every = %q\n", every)
	if len(s.options) > 0 {
		b.WriteString("[sensor.options]\n" + strings.Join(s.options, "\n") + "\n")
	}
	return b.String()
}

// quote writes a string of TOML, whose escapes are those of JSON. $ would begin a variable.
func quote(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(strings.ReplaceAll(text, "$", "$$")) // a string can always be encoded
	return strings.ReplaceAll(strings.TrimSuffix(b.String(), "\n"), "\x7f", `\u007f`)
}

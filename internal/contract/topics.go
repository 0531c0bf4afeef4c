package contract

import (
	"slices"
	"strings"
	"unicode"
)

// Topics names the topics of one gateway.
type Topics struct {
	prefix    string // of all gateways
	p         string // of this one
	telemetry string // what those of readings begin with
}

// NewTopics returns the topics below prefix/gateway.
func NewTopics(prefix, gateway string) Topics {
	p := prefix + "/" + gateway
	return Topics{prefix, p, p + "/telemetry/"}
}

// Behind returns the same topics, those of readings with something before them, such as
// "$aws/rules/NAME/".
func (t Topics) Behind(before string) Topics {
	t.telemetry = before + t.p + "/telemetry/"
	return t
}

// Prefix is what all topics of the gateway begin with, without the slash.
func (t Topics) Prefix() string { return t.p }

func (t Topics) Status() string                 { return t.p + "/status" }
func (t Topics) Telemetry(sensor string) string { return t.telemetry + sensor }
func (t Topics) Late(sensor string) string      { return t.telemetry + sensor + "/late" }
func (t Topics) Undated(sensor string) string   { return t.telemetry + sensor + "/undated" }
func (t Topics) Last(sensor string) string      { return t.p + "/last/" + sensor }
func (t Topics) Sensor(sensor string) string    { return t.p + "/sensors/" + sensor }
func (t Topics) Reported() string               { return t.p + "/shadow/reported" }
func (t Topics) Desired() string                { return t.p + "/shadow/desired" }
func (t Topics) Health() string                 { return t.p + "/health" }
func (t Topics) Event(kind string) string       { return t.p + "/events/" + kind }
func (t Topics) Commands() string               { return t.p + "/cmd/+" }
func (t Topics) Reply(command string) string    { return t.p + "/reply/" + command }
func (t Topics) Command(name string) string     { return t.p + "/cmd/" + name }

// CommandName returns the name of the command that a topic P/cmd/<command> is for.
func (t Topics) CommandName(topic string) (string, bool) {
	op, ok := strings.CutPrefix(topic, t.Command(""))
	return op, ok && op != "" && !strings.Contains(op, "/")
}

// MayReply reports whether a reply may go to a Response Topic. Anyone who may write commands makes
// the gateway write there with the gateway's rights. So below the prefix of the gateways it may
// only be some <gateway>/reply/…; outside of it, what filters list; without filters anything but a
// broker's own topics and those of gateways with another prefix, which a level cmd or shadow gives
// away.
func (t Topics) MayReply(topic string, filters []string) bool {
	if topic == "" || topic[0] == '$' || strings.ContainsAny(topic, "+#") || strings.ContainsFunc(topic, unicode.IsControl) {
		return false
	}
	if below, ok := strings.CutPrefix(topic+"/", t.prefix+"/"); ok {
		levels := strings.Split(strings.TrimSuffix(below, "/"), "/")
		return len(levels) >= 3 && levels[1] == "reply"
	}
	levels := strings.Split(topic, "/")
	if len(filters) == 0 {
		return !slices.Contains(levels, "cmd") && !slices.Contains(levels, "shadow")
	}
	return slices.ContainsFunc(filters, func(f string) bool { return matches(strings.Split(f, "/"), levels) })
}

// matches reports whether the levels of a topic match those of an MQTT topic filter.
func matches(filter, topic []string) bool {
	for i, level := range filter {
		switch {
		case level == "#":
			return true
		case i >= len(topic) || level != "+" && level != topic[i]:
			return false
		}
	}
	return len(filter) == len(topic)
}

// LastSensor returns the sensor whose newest reading a topic holds.
func (t Topics) LastSensor(topic string) (string, bool) { return strings.CutPrefix(topic, t.Last("")) }

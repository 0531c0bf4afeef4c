package contract

import (
	"strings"
	"unicode"
)

// Topics names the topics of one gateway.
type Topics struct{ p string }

// NewTopics returns the topics below prefix/gateway.
func NewTopics(prefix, gateway string) Topics { return Topics{prefix + "/" + gateway} }

// Prefix is what all topics of the gateway begin with, without the slash.
func (t Topics) Prefix() string { return t.p }

func (t Topics) Status() string                  { return t.p + "/status" }
func (t Topics) Telemetry(sensor string) string  { return t.p + "/telemetry/" + sensor }
func (t Topics) Late(sensor string) string       { return t.p + "/telemetry/" + sensor + "/late" }
func (t Topics) Last(sensor string) string       { return t.p + "/last/" + sensor }
func (t Topics) Sensor(sensor string) string     { return t.p + "/sensors/" + sensor }
func (t Topics) Reported() string                { return t.p + "/shadow/reported" }
func (t Topics) Desired() string                 { return t.p + "/shadow/desired" }
func (t Topics) Health() string                  { return t.p + "/health" }
func (t Topics) Event(kind string) string        { return t.p + "/events/" + kind }
func (t Topics) Commands() string                { return t.p + "/cmd/+" }
func (t Topics) Reply(operation string) string   { return t.p + "/reply/" + operation }
func (t Topics) Command(operation string) string { return t.p + "/cmd/" + operation }

// Operation returns the operation that a command's topic names.
func (t Topics) Operation(topic string) (string, bool) {
	op, ok := strings.CutPrefix(topic, t.Command(""))
	return op, ok && op != "" && !strings.Contains(op, "/")
}

// MayReply tells whether a reply may go to a Response Topic: a name, neither below any gateway's cmd or shadow, which
// would make one gateway command another, nor a broker's own.
func MayReply(topic string) bool {
	if topic == "" || topic[0] == '$' || strings.ContainsAny(topic, "+#") || strings.ContainsFunc(topic, unicode.IsControl) {
		return false
	}
	for level := range strings.SplitSeq(topic, "/") {
		if level == "cmd" || level == "shadow" {
			return false
		}
	}
	return true
}

// LastSensor returns the sensor whose newest reading a topic holds.
func (t Topics) LastSensor(topic string) (string, bool) { return strings.CutPrefix(topic, t.Last("")) }

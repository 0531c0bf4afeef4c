package homeassistant

import (
	"fmt"
	"strings"
	"time"
)

// Templates are Jinja's, as Home Assistant runs it: value_json is the message, now and as_timestamp
// are its own. What renders as None is unknown.

// readingAt returns what sets r to one reading of a message: telemetry has the newest last.
func readingAt(telemetry bool) string {
	if telemetry {
		return "{% set r = value_json.readings[-1] %}"
	}
	return "{% set r = value_json.readings[0] %}"
}

// fresh returns the condition that a time in a document, RFC 3339 or null, is not older than life;
// without a life nothing is asked.
func fresh(ts string, life time.Duration) string {
	if life == 0 {
		return "true"
	}
	return fmt.Sprintf("%s and as_timestamp(now()) - as_timestamp(%[1]s) < %.0f", ts, life.Seconds())
}

// fieldOf returns the expression of a field's value in r. The method get, because a name such as
// items would be the dictionary's own.
func fieldOf(name string) string { return "r.fields.get('" + name + "')" }

// ifFresh returns what sets v to an expression, or to none if ts is older than life.
func ifFresh(expression, ts string, life time.Duration) string {
	return "{% set v = " + expression + " if " + fresh(ts, life) + " else none %}"
}

const (
	asNumber = "{{ v }}"
	asSwitch = "{{ none if v is none else 'ON' if v else 'OFF' }}"
	asText   = "{{ none if v is none else v[:255] }}" // the longest state that there is
)

// oneOf returns the availability template that asks whether an expression is one of the words.
func oneOf(expression string, words ...string) string {
	return "{{ 'online' if " + expression + " in ('" + strings.Join(words, "', '") + "') else 'offline' }}"
}

// freshID is an id that no two commands have: the microsecond in which the command is rendered.
const freshID = "ha-{{ now().timestamp() }}"

// pressed returns the template of a command without arguments.
func pressed() string { return `{"id":"` + freshID + `"}` }

// writes returns the template of the command write for one field; value is an expression.
func writes(sensor, field, value string) string {
	return fmt.Sprintf(`{"id":"%s","args":{"sensor":"%s","fields":{"%s":{{ %s }}}}}`, freshID, sensor, field, value)
}

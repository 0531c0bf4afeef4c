package config

import "strings"

// foreign are keys that other programs have for what is meant here, by the last of them (lower
// case, without _ and -), each with what to write. Which of the meanings fits is decided by the
// table that the key stands in.
var foreign = map[string][]meaning{
	"password":     {{"mqtt", `put it into a file that only the service may read, and write password_file = "/etc/fieldgate/mqtt-password": secrets do not belong in the configuration`}},
	"passwd":       {{"mqtt", `put it into a file that only the service may read, and write password_file = "/etc/fieldgate/mqtt-password": secrets do not belong in the configuration`}},
	"host":         {{"mqtt", `write urls = ["mqtt://HOST:1883"]`}},
	"hostname":     {{"mqtt", `write urls = ["mqtt://HOST:1883"]`}},
	"port":         {{"mqtt", `write urls = ["mqtt://HOST:PORT"]`}, {"sensor", `write bus = "/dev/…" for a serial port, or bus = "host:502" for Modbus TCP`}},
	"broker":       {{"mqtt", `write urls = ["mqtt://HOST:1883"]`}},
	"server":       {{"mqtt", `write urls = ["mqtt://HOST:1883"]`}},
	"servers":      {{"mqtt", `write urls = ["mqtt://HOST:1883"]`}},
	"url":          {{"mqtt", `write urls = ["mqtt://HOST:1883"], a list`}},
	"uri":          {{"mqtt", `write urls = ["mqtt://HOST:1883"], a list`}},
	"address":      {{"mqtt", `write urls = ["mqtt://HOST:1883"]`}, {"sensor", `write it under [sensor.options]`}},
	"user":         {{"mqtt", "write username"}},
	"login":        {{"mqtt", "write username"}},
	"clientname":   {{"mqtt", "write client_id"}},
	"topic":        {{"mqtt", "write topic_prefix in [gateway]"}, {"gateway", "write topic_prefix"}},
	"cafile":       {{"mqtt", "write ca_file in [mqtt.tls]"}},
	"certfile":     {{"mqtt", "write cert_file in [mqtt.tls]"}},
	"keyfile":      {{"mqtt", "write key_file in [mqtt.tls]"}},
	"name":         {{"gateway", "write id"}, {"registers", "write field"}},
	"baud":         {{"sensor", "write baud under [sensor.options]"}},
	"baudrate":     {{"options", "write baud"}, {"sensor", "write baud under [sensor.options]"}},
	"interval":     {{"sensor", `write every = "10s"`}},
	"period":       {{"sensor", `write every = "10s"`}},
	"pollinterval": {{"sensor", `write every = "10s"`}},
	"scaninterval": {{"sensor", `write every = "10s"`}},
	"device":       {{"sensor", `write bus = "/dev/…"`}},
	"type":         {{"sensor", "write driver"}},
	"id":           {{"sensor", "write name"}},
	"slave":        {{"options", "write unit_id"}},
	"slaveid":      {{"options", "write unit_id"}},
	"unitid":       {{"options", "write unit_id"}},
	"function":     {{"registers", `write table = "holding", "input", "coil" or "discrete"`}},
	"functioncode": {{"registers", `write table = "holding" (3), "input" (4), "coil" (1) or "discrete" (2)`}},
	"registertype": {{"registers", `write table = "holding", "input", "coil" or "discrete"`}},
	"register":     {{"registers", "write address: as in the protocol, so 40001 of a manual is holding register 0"}},
	"datatype":     {{"registers", "write type"}},
	"valuetype":    {{"registers", "write type"}},
	"decode":       {{"registers", "write type"}},
	"bitmask":      {{"registers", "write bits = [8, 15] for ff00, or bit for a bool"}},
	"mask":         {{"registers", "write bits = [8, 15] for ff00, or bit for a bool"}},
	"half":         {{"registers", "write bits = [8, 15] for the high half, [0, 7] for the low one"}},
	"nanvalue":     {{"registers", "write invalid = [0x8000], a list of raw numbers"}},
	"scalefactor":  {{"registers", "write scale, or scale_register for the address of a factor"}},
	"multiply":     {{"registers", "write scale"}},
	"swap":         {{"registers", `write byte_order = "little" or word_order = "little"`}},
	"path":         {{"control", "write socket"}},
}

// A meaning is what a foreign key stands for in a table.
type meaning struct{ table, advice string }

// foreignKey returns what to write instead of a key that fieldgate does not have, in the table of a
// path; "" if it is not known.
func foreignKey(key, path string) string {
	word := strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(key))
	table := tableOf(path)
	for _, m := range foreign[word] {
		if m.table == table {
			return "; " + m.advice
		}
	}
	if table == "" && len(foreign[word]) > 0 && foreign[word][0].table == "mqtt" {
		return "; under [mqtt]: " + foreign[word][0].advice
	}
	return ""
}

// tableOf returns the last name of a path, without the places in lists: "registers" of
// "sensor.0.options.registers.3".
func tableOf(path string) string {
	words := strings.Split(path, ".")
	for i := len(words) - 1; i >= 0; i-- {
		if words[i] != "" && strings.Trim(words[i], "0123456789") != "" {
			return words[i]
		}
	}
	return ""
}

// secretKey reports whether the value of a key that fieldgate does not have may be a secret.
func secretKey(key string) bool {
	key = strings.ToLower(key)
	for _, word := range []string{"pass", "secret", "token", "apikey", "api_key", "credential"} {
		if strings.Contains(key, word) {
			return true
		}
	}
	return false
}

// foreignScheme is what a broker's URL begins with instead of what other programs write.
var foreignScheme = map[string]string{"tcp": "mqtt", "ssl": "mqtts", "tls": "mqtts", "mqtt+ssl": "mqtts", "mqtt+tls": "mqtts", "mqtt+tcp": "mqtt", "http": "ws", "https": "wss"}

// syntaxAdvice says more of a mistake of syntax in a line that many make; "" if nothing is known.
func syntaxAdvice(line, message string) string {
	_, value, assigned := strings.Cut(line, "=")
	value = strings.TrimSpace(value)
	switch {
	case strings.Contains(message, "escape") && strings.Contains(value, `"`):
		return `in double quotes a backslash begins an escape: write a pattern in single quotes, such as '(?P<t>\S+)'`
	case assigned && value != "" && strings.Trim(value[:1], `"'[{+-0123456789`) != "" && value != "true" && value != "false":
		return "a text needs quotes around it"
	}
	return ""
}

package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
)

// chip is a driver's options as drivers declare them.
type chip struct {
	Address int               `toml:"address"`
	Channel uint8             `toml:"channel"`
	Wait    time.Duration     `toml:"wait"`
	Scale   float64           `toml:"scale"`
	Names   []string          `toml:"names"`
	Columns map[string]column `toml:"columns"`
}

type column struct {
	Unit string `toml:"unit"`
}

func (c *chip) Check() error {
	if c.Address < 0x76 || c.Address > 0x77 {
		return &drivers.OptionError{Key: "address", Err: fmt.Errorf("0x%02x: want 0x76 or 0x77", c.Address)}
	}
	return nil
}

func catalogue() config.Catalogue {
	return config.Catalogue{Drivers: specs(), Formats: config.Words{{"json", "…"}, {"json-flat", "…"}}, Commands: config.Words{{"ping", "…"}, {"restart", "…"}}, Allowed: []string{"ping"}}
}

func specs() []drivers.Spec {
	fields := func(any) []drivers.Field {
		return []drivers.Field{{Name: "temperature", Unit: "Cel", Kind: drivers.KindFloat}, {Name: "label", Kind: drivers.KindString}}
	}
	return []drivers.Spec{
		{Name: "bme280", Bus: drivers.I2CBus, Options: func() any { return &chip{Address: 0x76, Scale: 1} }, Fields: fields},
		{Name: "host", Bus: drivers.NoBus, Options: func() any { return new(struct{}) }, Fields: fields},
		{Name: "line", Bus: drivers.SerialBus, Options: func() any { return new(struct{}) }, Fields: fields},
		{Name: "sht4x", Bus: drivers.I2CBus, Shared: true, Options: func() any {
			return &struct {
				Address int `toml:"address"`
			}{0x44}
		}, Fields: fields},
		{Name: "modbus-rtu", Bus: drivers.SerialBus, Shared: true, Options: func() any { return new(line) }, Fields: fields,
			SerialMode: func(o any) drivers.SerialMode { return drivers.SerialMode{Baud: o.(*line).Baud} }},
	}
}

type line struct {
	Baud int `toml:"baud"`
}

// TestSharing has the sensors that can, and cannot, be on one bus together.
func TestSharing(t *testing.T) {
	sensor := func(name, driver, bus, more string) string {
		return fmt.Sprintf("[[sensor]]\nname = %q\nevery = \"1s\"\ndriver = %q\nbus = %q\n%s", name, driver, bus, more)
	}
	for _, tt := range []struct{ name, a, b, where, says string }{
		{"chips of two addresses", sensor("a", "bme280", "/dev/i2c-1", ""), sensor("b", "sht4x", "/dev/i2c-1", ""), "", ""},
		{"two sensors of one chip", sensor("a", "sht4x", "/dev/i2c-1", ""), sensor("b", "sht4x", "/dev/i2c-1", ""), "", ""},
		{"two chips at one address", sensor("a", "bme280", "/dev/i2c-1", ""), sensor("b", "sht4x", "/dev/i2c-1", "[sensor.options]\naddress = 0x76\n"), "11:10",
			`sensor "b": driver "bme280" already uses address 0x76 of /dev/i2c-1, for sensor "a" (f.toml:4)`},
		{"one of them switched off", sensor("a", "bme280", "/dev/i2c-1", "enabled = false\n"), sensor("b", "sht4x", "/dev/i2c-1", "[sensor.options]\naddress = 0x76\n"), "", ""},
		{"two buses", sensor("a", "bme280", "/dev/i2c-1", ""), sensor("b", "sht4x", "/dev/i2c-3", "[sensor.options]\naddress = 0x76\n"), "", ""},
		{"two devices on a port", sensor("a", "line", "/dev/ttyS0", ""), sensor("b", "line", "/dev/ttyS0", ""), "12:7", `/dev/ttyS0 belongs to sensor "a" (f.toml:4)`},
		{"a device on a shared connection", sensor("a", "line", "host:4001", ""), sensor("b", "modbus-rtu", "host:4001", ""), "12:7", `host:4001 belongs to sensor "a"`},
		{"two readers of one service", sensor("a", "line", "host:4001", ""), sensor("b", "line", "host:4001", ""), "", ""},
		{"two runs of a program", sensor("a", "line", "exec:/bin/x", ""), sensor("b", "line", "exec:/bin/x", ""), "", ""},
		{"a device on a shared line", sensor("a", "line", "/dev/ttyS0", ""), sensor("b", "modbus-rtu", "/dev/ttyS0", ""), "12:7", `/dev/ttyS0 belongs to sensor "a"`},
		{"a shared line", sensor("a", "modbus-rtu", "/dev/ttyS0", ""), sensor("b", "modbus-rtu", "/dev/ttyS0", ""), "", ""},
		{"two speeds on a line", sensor("a", "modbus-rtu", "/dev/ttyS0", ""), sensor("b", "modbus-rtu", "/dev/ttyS0", "[sensor.options]\nbaud = 19200\n"), "13:9",
			`the line /dev/ttyS0 is 9600 8N1 for sensor "a" (f.toml:4) and 19200 8N1 here`},
		{"options that cannot be read", sensor("a", "modbus-rtu", "/dev/ttyS0", "[sensor.options]\nbaud = 19200\n"), sensor("b", "modbus-rtu", "/dev/ttyS0", "[sensor.options]\nbaud = \"19200\"\n"), "16:8",
			"baud must be a whole number"},
		{"buses and a slip", sensor("a", "line", "/dev/ttyS0", ""), sensor("b", "lime", "/dev/ttyS0", ""), "11:10", "unknown driver"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse(minimal + tt.a + tt.b)
			if tt.where == "" && err != nil || tt.where != "" && (err == nil || !strings.HasPrefix(err.Error(), "f.toml:"+tt.where+": ") || !strings.Contains(err.Error(), tt.says) || strings.Count(err.Error(), "^") != 1) {
				t.Errorf("want %s: %s, got %v", tt.where, tt.says, err)
			}
		})
	}
}

func parse(text string) (*config.Config, error) {
	return config.Parse([]config.Source{{Name: "f.toml", Text: text}}, catalogue())
}

const minimal = `[mqtt]
urls = ["mqtt://localhost"]
`

// TestNoBroker: an empty list of brokers is not a mistake, and says which file to edit.
func TestNoBroker(t *testing.T) {
	c, err := parse("[mqtt]\nurls = []\n")
	if err != nil {
		t.Fatal(err)
	}
	if w := c.Warnings(); !strings.Contains(c.NoBroker(), "set mqtt.urls in f.toml") || len(w) != 1 || w[0] != c.NoBroker() {
		t.Errorf("got %q, warnings %q", c.NoBroker(), w)
	}
	if c, err = parse(minimal); err != nil || c.NoBroker() != "" {
		t.Errorf("with a broker: %q, %v", c.NoBroker(), err)
	}
}

// TestMistakes has a row for every check: where it must point and what it must say.
func TestMistakes(t *testing.T) {
	sensor := minimal + "[[sensor]]\nname = \"s\"\nevery = \"1s\"\n" // its lines are 3 to 5
	for _, tt := range []struct{ name, text, where, says string }{
		{"syntax", minimal + "every = = 3\n", "3:9", ""},
		{"relative path of the store", minimal + "[buffer]\npath = \"q.db\"\n", "4:8", "buffer.path must be the full path"},
		{"port of the broker", "[mqtt]\nurls = [\"mqtt://h:99999\"]\n", "2:9", "port 99999: want 1 to 65535"},
		{"port 0 of the broker", "[mqtt]\nurls = [\"mqtt://h:0\"]\n", "2:9", "port 0: want"},
		{"option of another driver", sensor + "driver = \"sht4x\"\nbus = \"/dev/i2c-1\"\n[sensor.options]\nqqqqqqqqq = 1\n", "9:1", `unknown key "qqqqqqqqq" in sensor "s".options; its options: address`},
		{"unknown key", minimal + "[gatway]\nid = \"x\"\n", "3:2", `unknown key "gatway" (did you mean "gateway"?)`},
		{"unknown key in a table", minimal + "keepalive = \"1s\"\n", "3:1", `unknown key "keepalive" in mqtt (did you mean "keep_alive"?)`},
		{"no broker", "[gateway]\nid = \"x\"\n", "0:0", "mqtt.urls is missing"},
		{"url scheme", "[mqtt]\nurls = [\"mqt://h\"]\n", "2:9", `must be mqtt, mqtts, ws, wss or unix, not "mqt" (did you mean "mqtt"?)`},
		{"url with password", "[mqtt]\nurls = [\"mqtt://u:p@h\"]\n", "2:9", "do not belong in the URL"},
		{"url without host", "[mqtt]\nurls = [\"mqtt:///x\"]\n", "2:9", "names no host"},
		{"rate of zero", minimal + "publish_rate = 0\n", "3:16", "leave it out for no limit"},
		{"byte rate of zero", minimal + "bytes_rate = 0\n", "3:14", "leave it out for no limit"},
		{"message of no bytes", minimal + "message_max = \"0B\"\n", "3:15", "from 1KiB to 256MiB"},
		{"day of no bytes", minimal + "bytes_per_day = 0\n", "3:17", "leave it out for no limit"},
		{"online for no time", minimal + "online = \"every 1s\"\n", "3:10", "a connection needs time"},
		{"online without a time", minimal + "online = \"often\"\n", "3:10", `must be "always" or such as "every 15m"`},
		{"online with a number", minimal + "online = 5\n", "3:10", `must be "always" or such as "every 15m"`},
		{"session shorter than the sleep", minimal + "online = \"every 1h\"\nsession_expiry = \"1h\"\n", "4:18", "must be longer than 1h15m with"},
		{"sleep longer than the default session", minimal + "online = \"every 20h\"\n", "3:10", "mqtt.session_expiry is 24h and must be longer than 25h with"},
		{"sleep with a delay of the backlog", minimal + "online = \"every 1h\"\ndrain_delay_max = \"1m\"\n", "4:19", "goes with online = \"always\" only"},
		{"line", minimal + "line = \"meterd\"\n", "3:8", `(did you mean "metered"?)`},
		{"platform", minimal + "[cloud]\nplatform = \"azure\"\n", "4:12", "cloud.platform must be one of"},
		{"linger", minimal + "[telemetry]\nlinger = \"-1s\"\n", "4:10", "telemetry.linger must be from 0s to 24h"},
		{"compression", minimal + "[telemetry]\ncompress = \"lz4\"\n", "4:12", "must be one of none, gzip, zstd"},
		{"proxy", minimal + "proxy = \"https://p\"\n", "3:9", `must be such as "http://proxy:3128"`},
		{"proxy with a password", minimal + "proxy = \"http://u:p@p\"\n", "3:9", "do not belong in the URL"},
		{"password of no proxy", minimal + "proxy_password_file = \"/p\"\n", "1:2", "go with mqtt.proxy"},
		{"command of a shell", minimal + "username = \"u\"\npassword_command = [\"token\"]\n", "4:1", "must be the full path of a program"},
		{"no command", minimal + "username = \"u\"\npassword_command = []\n", "4:1", "names no program"},
		{"empty ALPN", "[mqtt]\nurls = [\"mqtts://h\"]\n[mqtt.tls]\nalpn = [\"\"]\n", "4:9", "1 to 255 bytes"},
		{"time from plain HTTP", minimal + "[gateway]\ntime_from = \"http://h/\"\n", "4:13", "without a verified certificate"},
		{"time from nobody", minimal + "[gateway]\ntime_from = \"gps\"\n", "4:13", "neither an https:// URL nor a sensor"},
		{"time from a sensor that has none", minimal + "[gateway]\ntime_from = \"a\"\n[[sensor]]\nname = \"a\"\ndriver = \"bme280\"\nbus = \"/dev/i2c-1\"\nevery = \"1s\"\n", "4:13", `sensor "a" has no field time`},
		{"two passwords", minimal + "username = \"u\"\npassword_file = \"/a\"\npassword_env = \"B\"\n", "1:2", "not several"},
		{"TLS without a URL that has it", minimal + "[mqtt.tls]\nca_file = \"/a\"\n", "2:9", "mqtt.urls.0: [mqtt.tls] is set, and mqtt:// connects without TLS: write mqtts://"},
		{"TLS that is empty, without a URL that has it", minimal + "[mqtt.tls]\n", "2:9", "connects without TLS"},
		{"TLS for some of the URLs", "[mqtt]\nurls = [\"mqtts://h\", \"ws://h\"]\n[mqtt.tls]\nca_file = \"/a\"\n", "2:22", "mqtt.urls.1: [mqtt.tls] is set, and ws:// connects without TLS: write wss://"},
		{"TLS on a socket", "[mqtt]\nurls = [\"unix:///s\"]\n[mqtt.tls]\nca_file = \"/a\"\n", "3:7", "unix:// connects without TLS"},
		{"password without a user", minimal + "password_env = \"B\"\n", "1:2", "no mqtt.username"},
		{"filter of replies", minimal + "[commands]\nreply_topics = [\"a/#\", \"a/#/b\"]\n", "4:24", "has levels after #"},
		{"filter of replies to the broker", minimal + "[commands]\nreply_topics = [\"$SYS/#\"]\n", "4:17", "begins with $"},
		{"empty filter of replies", minimal + "[commands]\nreply_topics = [\"\"]\n", "4:17", "matches nothing"},
		{"wildcard within a level", minimal + "[commands]\nreply_topics = [\"a/b+\"]\n", "4:17", "not alone in its level"},
		{"certificate without key", "[mqtt]\nurls = [\"mqtts://h\"]\n[mqtt.tls]\ncert_file = \"/a\"\n", "3:7", "go together"},
		{"topic character in the id", minimal + "[gateway]\nid = \"a/b\"\n", "4:6", `must not contain '/'`},
		{"topic character in the prefix", minimal + "[gateway]\ntopic_prefix = \"a/#\"\n", "4:16", `must not contain '#'`},
		{"log level", minimal + "[gateway]\nlog_level = \"warning\"\n", "4:13", `not "warning" (did you mean "warn"?)`},
		{"duration without unit", minimal + "keep_alive = 60\n", "3:14", `mqtt.keep_alive needs a unit: write "60s"`},
		{"no duration", minimal + "keep_alive = \"1 minute\"\n", "3:14", "is not a duration"},
		{"duration out of range", minimal + "keep_alive = \"1ms\"\n", "3:14", "must be from 1s"},
		{"no size", minimal + "[buffer]\nmax_bytes = \"256 megs\"\n", "4:13", "is not a size"},
		{"cap too small", minimal + "[buffer]\nmax_bytes = \"1MiB\"\n", "4:13", "at least 8MiB"},
		{"policy", minimal + "[buffer]\nwhen_full = \"drop\"\n", "4:13", "must be one of drop-oldest, reject-new"},
		{"command", minimal + "[commands]\nallow = [\"ping\", \"reboot\"]\n", "4:18", "commands.allow.1 must be one of"},
		{"shadow key", minimal + "[shadow]\nallow = [\"sensor.every\"]\n", "4:10", `(did you mean "sensors.every"?)`},
		{"metrics for everybody", minimal + "[metrics]\nlisten = \":9142\"\n", "4:10", "must be a loopback address"},
		{"page without a port", minimal + "[page]\nlisten = \"127.0.0.1\"\n", "4:10", "must be an address and a port"},
		{"page at a name", minimal + "[page]\nlisten = \"gw1.example.com:80\"\n", "4:10", "must be an address and a port"},
		{"page for everybody", minimal + "[page]\nlisten = \":8443\"\nself_signed = true\n", "4:10", "there is no password: set page.password_file"},
		{"page in the clear", minimal + "[page]\nlisten = \"0.0.0.0:8080\"\npassword_file = \"/p\"\n", "4:10", "without TLS, and everyone on the way could read the password: set page.self_signed = true"},
		{"page with two passwords", minimal + "[page]\npassword_file = \"/p\"\npassword_credential = \"p\"\n", "3:2", "give one of password_file and password_credential"},
		{"page with half a certificate", minimal + "[page]\ncert_file = \"/c\"\n", "3:2", "cert_file and key_file go together"},
		{"page with two certificates", minimal + "[page]\nself_signed = true\ncert_file = \"/c\"\nkey_file = \"/k\"\n", "4:15", "there is a cert_file: remove one of them"},
		{"page under a URL", minimal + "[page]\nhosts = [\"https://gw1\"]\n", "4:10", "is not a host name"},
		{"wrong type", minimal + "[gateway]\nid = 3\n", "4:6", "gateway.id must be a string, not 3"},
		{"table for a value", minimal + "[gateway.id]\nx = 1\n", "3:10", "gateway.id must be a string, not a table"},
		{"value for a table", "gateway = 1\n" + minimal, "1:11", "gateway must be a table, not 1"},
		{"environment", minimal + "username = \"${NO_SUCH_VARIABLE}\"\n", "3:12", "the environment has no variable NO_SUCH_VARIABLE"},
		{"sensor without anything", minimal + "[[sensor]]\n", "3:3", "sensor.0.name is missing"},
		{"sensor without driver", sensor, "3:3", `sensor "s".driver is missing`},
		{"interval of 0", minimal + "[[sensor]]\nname = \"s\"\ndriver = \"host\"\nevery = \"0s\"\n", "6:9", "must not be 0"},
		{"unknown driver", sensor + "driver = \"bme820\"\n", "6:10", `unknown driver "bme820" (did you mean "bme280"?); known drivers: bme280, host, line`},
		{"topic character in a name", minimal + "[[sensor]]\nname = \"hall/climate\"\nevery = \"1s\"\ndriver = \"host\"\n", "4:8", `must not contain '/'`},
		{"two of one name", sensor + "driver = \"host\"\n[[sensor]]\nname = \"s\"\nevery = \"1s\"\ndriver = \"host\"\n", "8:8", `a sensor named "s" exists already (f.toml:4)`},
		{"bus missing", sensor + "driver = \"bme280\"\n", "3:3", `sensor "s".bus is missing`},
		{"bus not needed", sensor + "driver = \"host\"\nbus = \"/dev/i2c-1\"\n", "7:7", "does not use a bus"},
		{"bus number", sensor + "driver = \"bme280\"\nbus = \"1\"\n", "7:7", `such as "/dev/i2c-1"`},
		{"serial bus", sensor + "driver = \"line\"\nbus = \"usb:0403\"\n", "7:7", `"usb:VID:PID"`},
		{"unknown option", sensor + "driver = \"bme280\"\nbus = \"/dev/i2c-1\"\n[sensor.options]\nadress = 0x76\n", "9:1", `unknown key "adress" in sensor "s".options (did you mean "address"?)`},
		{"option out of range", sensor + "driver = \"bme280\"\nbus = \"/dev/i2c-1\"\noptions = { channel = 300 }\n", "8:23", "out of range"},
		{"option refused by the driver", sensor + "driver = \"bme280\"\nbus = \"/dev/i2c-1\"\n[sensor.options]\naddress = 76\n", "9:11", "0x4c: want 0x76 or 0x77"},
		{"unknown field", sensor + "driver = \"host\"\n[sensor.field.temprature]\ndeadband = 1\n", "7:15", `has no field "temprature" (did you mean "temperature"?)`},
		{"deadband of a text", sensor + "driver = \"host\"\n[sensor.field.label]\ndeadband = 1\n", "8:12", "only numbers can have it"},
		{"min above max", sensor + "driver = \"host\"\n[sensor.field.temperature]\nmin = 3\nmax = 1\n", "8:7", "above max"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse(tt.text)
			var problems config.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("want problems, got %v", err)
			}
			p := problems[0]
			if where := fmt.Sprintf("%d:%d", p.Line, p.Col); where != tt.where || !strings.Contains(p.Msg, tt.says) {
				t.Errorf("want %s …%s…\ngot  %s %s\n(all: %v)", tt.where, tt.says, where, p.Msg, problems)
			}
		})
	}
}

func TestPasswordInAURLIsNotShown(t *testing.T) {
	for _, text := range []string{
		"[mqtt]\nurls = [\"mqtt://u:hunter2@h\"]\n",
		"[mqtt]\nurls = [\"mqtt://u:%hunter2@h\"]\n", // no URL
		"[mqtt]\nurls = [\"http://u:hunter2@h\"]\n",
		minimal + "proxy = \"ftp://u:hunter2@h\"\n",
		minimal + "proxy = \"http://u:a hunter2@h\"\n",
		minimal + "prxy = \"http://u:hunter2@h\"\n",
	} {
		if _, err := parse(text); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s\n%v", text, err)
		}
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	_, err := parse("[gateway]\nid = \"a b\"\nlog_levl = \"info\"\n[mqtt]\nurls = [\"http://h\"]\nkeep_alive = 3\n[[sensor]]\nname = \"s\"\nevery = \"-1s\"\ndriver = \"nope\"\n")
	var problems config.Problems
	if !errors.As(err, &problems) || len(problems) != 6 {
		t.Fatalf("want 6 problems, got %d: %v", len(problems), err)
	}
	for i := 1; i < len(problems); i++ {
		if problems[i].Line < problems[i-1].Line {
			t.Errorf("not in the order of the text: %v", problems)
		}
	}
	if got := problems[0].String(); !strings.Contains(got, "f.toml:2:6: ") || !strings.HasSuffix(got, "\n  id = \"a b\"\n       ^") {
		t.Errorf("the offending line is not shown:\n%s", got)
	}
}

func TestConfdIsLaidOver(t *testing.T) {
	t.Setenv("SITE", "plant7")
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("fieldgate.toml", minimal+"username = \"a$$b\"\n[gateway]\nid = \"${SITE}-gw\"\n[[sensor]]\nname = \"a\"\nevery = \"1s\"\ndriver = \"host\"\n")
	write("conf.d/20.toml", "[gateway]\nlog_level = \"debug\"\n[[sensor]]\nname = \"c\"\nevery = \"1s\"\ndriver = \"bme280\"\nbus = \"/dev/i2c-1\"\n"+
		"[sensor.options]\naddress = 0x77\nwait = \"5ms\"\nnames = [\"x\"]\ncolumns = { u = { unit = \"V\" } }\n[sensor.field.temperature]\noffset = -1\n")
	write("conf.d/10.toml", "[gateway]\nlog_level = \"warn\"\n[[sensor]]\nname = \"b\"\nevery = \"1s\"\ndriver = \"host\"\n")
	write("conf.d/notes.txt", "no TOML at all")
	write("conf.d/.30.toml", "no TOML at all")
	if err := os.Symlink("engineer@desk.1234", filepath.Join(dir, "conf.d", ".#10.toml")); err != nil { // an editor's lock
		t.Fatal(err)
	}
	c, err := config.Load(filepath.Join(dir, "fieldgate.toml"), catalogue())
	if err != nil {
		t.Fatal(err)
	}
	if c.Gateway.ID != "plant7-gw" || c.MQTT.ClientID != "plant7-gw" || c.MQTT.Username != "a$b" || c.Gateway.LogLevel != "debug" {
		t.Errorf("got %+v %+v", c.Gateway, c.MQTT)
	}
	names := ""
	for _, s := range c.Sensors {
		names += s.Name
	}
	if names != "abc" {
		t.Errorf("want the sensors a, b, c in this order, got %q", names)
	}
	o := c.Sensors[2].Options.(*chip)
	if o.Address != 0x77 || o.Wait != 5*time.Millisecond || o.Scale != 1 || len(o.Names) != 1 || o.Columns["u"].Unit != "V" {
		t.Errorf("options: got %+v", o)
	}
	if f := c.Sensors[2].Fields["temperature"]; f.Offset == nil || *f.Offset != -1 {
		t.Errorf("field: got %+v", f)
	}
	if !c.Sensors[0].Enabled || !c.Sensors[0].Last {
		t.Error("the defaults of a sensor are missing")
	}
}

func TestGoodConfigurationIsKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "last-good.json")
	if _, err := config.LoadGood(file); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("want ErrNotExist, got %v", err)
	}
	want := []config.Source{{Name: "a", Text: minimal}, {Name: "b", Text: "# nothing\n"}}
	for range 2 {
		if err := config.SaveGood(file, want); err != nil {
			t.Fatal(err)
		}
	}
	got, err := config.LoadGood(file)
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("want %v, got %v, %v", want, got, err)
	}
}

func TestParseSize(t *testing.T) {
	for _, tt := range []struct {
		text string
		want config.Size
		ok   bool
	}{
		{"", 0, false}, {"MiB", 0, false}, {"-1MiB", 0, false}, {"1 MiBi", 0, false}, {"9999999TiB", 0, false},
		{"0", 0, true}, {"512", 512, true}, {"64KiB", 64 << 10, true}, {"1.5 GiB", 3 << 29, true}, {"10MB", 10e6, true},
	} {
		got, err := config.ParseSize(tt.text)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%q: want %d %v, got %d %v", tt.text, tt.want, tt.ok, got, err)
		}
	}
	if got := config.Size(256 << 20).String(); got != "256MiB" {
		t.Errorf("want 256MiB, got %s", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(minimal)
	f.Add("[[sensor]]\nname=\"a\"\n[sensor.options]\nx={y=[1,{z=2}]}\n[a.b]\n[[a.c]]\n")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := parse(text); (c == nil) == (err == nil) {
			t.Errorf("%q: got %v, %v", text, c, err)
		}
	})
}

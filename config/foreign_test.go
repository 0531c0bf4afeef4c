package config

import (
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/drivers/all"
)

// TestForeignWordsGetTheRightKey: what other programs call a thing, and mistakes of syntax that
// many make, have sentences of their own.
func TestForeignWordsGetTheRightKey(t *testing.T) {
	const mqtt = "[mqtt]\nurls = [\"mqtt://b\"]\n"
	const sensor = mqtt + "[[sensor]]\nname = \"m\"\ndriver = \"modbus-rtu\"\nbus = \"/dev/ttyS0\"\nevery = \"1s\"\n"
	for _, test := range []struct{ text, want string }{
		{"[mqtt]\npassword = \"hunter2\"\n", "password_file"},
		{"[mqtt]\nhost = \"b\"\n", `urls = ["mqtt://`},
		{"[mqtt]\nport = 1883\n", `urls = ["mqtt://`},
		{"[mqtt]\nbroker = \"b\"\n", `urls = ["mqtt://`},
		{"[mqtt]\nserver = \"b\"\n", `urls = ["mqtt://`},
		{"host = \"b\"\n", "[mqtt]"},
		{mqtt + "user = \"b\"\n", "username"},
		{sensor + "baudrate = 9600\n", "baud under [sensor.options]"},
		{sensor + "[sensor.options]\nbaudrate = 9600\n", "write baud"},
		{sensor + "interval = \"5s\"\n", `every = "10s"`},
		{sensor + "[[sensor.options.registers]]\nname = \"v\"\n", "write field"},
		{sensor + "[[sensor.options.registers]]\nregister = 1\n", "write address"},
		{sensor + "[[sensor.options.registers]]\nfunction = 3\n", "write table"},
		{sensor + "[sensor.options]\nslave_id = 3\n", "write unit_id"},
		{sensor + "[[sensor.options.registers]]\nbitmask = 0xff00\n", "write bits = [8, 15] for ff00"},
		{sensor + "[[sensor.options.registers]]\nhalf = \"high\"\n", "write bits = [8, 15]"},
		{sensor + "[[sensor.options.registers]]\nvalue_type = \"U_WORD\"\n", "write type"},
		{sensor + "[[sensor.options.registers]]\nscale_factor = 40084\n", "scale_register"},
		{sensor + "[[sensor.options.registers]]\nnan_value = 0x8000\n", "write invalid = [0x8000]"},
		{sensor + "[[sensor.options.registers]]\nswap = \"word\"\n", "word_order"},
		{"[mqtt]\nurls = [\"ssl://b:8883\"]\n", "write mqtts://b:8883"},
		{"[mqtt]\nurls = [\"tls://b\"]\n", "write mqtts://b"},
		{"[mqtt]\nurls = [\"tcp://b:1883\"]\n", "write mqtt://b:1883"},
		{"[gateway]\nid = plant7\n", "needs quotes"},
		{sensor + "[sensor.options]\npattern = \"(?P<t>\\S+)\"\n", "single quotes"},
		{mqtt + "[sensor]\nname = \"m\"\n", "[[sensor]]"},
	} {
		_, err := Parse([]Source{{Name: "f.toml", Text: test.text}}, Catalogue{Drivers: all.Specs()})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s\nwant %q, got %v", test.text, test.want, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a secret is shown: %v", err)
		}
	}
}

// TestAWrongOptionHidesNoWrongField: all mistakes of a sensor are reported at once.
func TestAWrongOptionHidesNoWrongField(t *testing.T) {
	_, err := Parse([]Source{{Name: "f.toml", Text: "[mqtt]\nurls = [\"mqtt://b\"]\n[[sensor]]\nname = \"r\"\ndriver = \"sim\"\nevery = \"1s\"\n[sensor.options]\nshape = \"round\"\n[sensor.field.value]\nscale = 0\n"}}, Catalogue{Drivers: all.Specs()})
	if err == nil || !strings.Contains(err.Error(), "round") || !strings.Contains(err.Error(), "0 would make every value the same") {
		t.Errorf("got %v", err)
	}
}

package config_test

import (
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/fieldgate/fieldgate/config"
)

// TestOneMistakeAValue: of a value that cannot be taken nothing else is reported, for it would be
// untrue.
func TestOneMistakeAValue(t *testing.T) {
	sensor := func(lines string) string {
		return minimal + "[[sensor]]\nname = \"s\"\ndriver = \"host\"\n" + lines
	}
	for _, tt := range []struct{ name, text, want string }{
		{"interval without a unit", sensor("every = 10\n"), `needs a unit: write "10s"`},
		{"interval too large", sensor("every = \"99999999999h\"\n"), `"99999999999h" is too large for a duration`},
		{"interval of the environment", sensor("every = \"${NO_SUCH_VARIABLE}\"\n"), "has no variable NO_SUCH_VARIABLE"},
		{"text for a list", "[mqtt]\nurls = \"mqtt://h\"\n", `mqtt.urls must be a list, not the string "mqtt://h"`},
		{"number for a list", "[mqtt]\nurls = 5\n", "mqtt.urls must be a list, not 5"},
		{"url of the environment", "[mqtt]\nurls = [\"${NO_SUCH_VARIABLE}\"]\n", "has no variable NO_SUCH_VARIABLE"},
		{"number for a name", minimal + "[gateway]\nid = 5\n", "gateway.id must be a string, not 5"},
		{"name of the environment", minimal + "[gateway]\nid = \"${NO_SUCH_VARIABLE}\"\n", "has no variable NO_SUCH_VARIABLE"},
		{"number for a choice", minimal + "[gateway]\nlog_level = 1\n", "gateway.log_level must be a string"},
		{"size too large", minimal + "[buffer]\nmax_bytes = \"99999999TB\"\n", `"99999999TB" is too large for a size`},
		{"size far too large", minimal + "[buffer]\nmax_bytes = \"1e999\"\n", "is too large for a size"},
		{"size below 0", minimal + "[buffer]\nmin_free = -1\n", "buffer.min_free must not be negative: -1"},
		{"size that is no number", minimal + "[buffer]\nmax_bytes = \"NaN\"\n", "is not a size"},
		{"option of another type", minimal + "[[sensor]]\nname = \"s\"\nevery = \"1s\"\ndriver = \"bme280\"\nbus = \"/dev/i2c-1\"\n[sensor.options]\nchannel = 300\n", "out of range: 300"},
		{"table for the sensors", minimal + "[sensor]\nname = \"s\"\n", "sensor must be a list, not a table"},
		{"bus of a number", minimal + "[[sensor]]\nname = \"s\"\nevery = \"1s\"\ndriver = \"bme280\"\nbus = 1\n", "bus must be a string, not 1"},
		{"bus of the environment", minimal + "[[sensor]]\nname = \"s\"\nevery = \"1s\"\ndriver = \"bme280\"\nbus = \"${NO_SUCH_VARIABLE}\"\n", "has no variable NO_SUCH_VARIABLE"},
		{"number for a certificate", "[mqtt]\nurls = [\"mqtts://localhost\"]\n[mqtt.tls]\ncert_file = 5\nkey_file = \"/k\"\n", "mqtt.tls.cert_file must be a string, not 5"},
		{"number for a sensor's name", minimal + "[[sensor]]\nname = 5\nevery = \"1s\"\ndriver = \"host\"\n", "name must be a string, not 5"},
		{"named tables for the sensors", minimal + "[sensor.hall]\nevery = 5\n[sensor.yard]\nevery = 5\n", "sensor must be a list, not a table"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse(tt.text)
			var problems config.Problems
			if !errors.As(err, &problems) || len(problems) != 1 || !strings.Contains(problems[0].Msg, tt.want) {
				t.Errorf("want only %q, got\n%v", tt.want, err)
			}
		})
	}
	_, err := parse(minimal + "[gateway]\nid = \"${NO_SUCH_VARIABLE}${NOR_THIS}\"\n")
	if err == nil || !strings.Contains(err.Error(), "NO_SUCH_VARIABLE (") || !strings.Contains(err.Error(), "NOR_THIS (") {
		t.Errorf("want both variables, got %v", err)
	}
}

// Editors of Windows begin a file with a byte order mark.
func TestByteOrderMark(t *testing.T) {
	if _, err := parse("\ufeff" + minimal); err != nil {
		t.Errorf("got %v", err)
	}
	_, err := parse("\ufeffgatway = 1\n" + minimal)
	if err == nil || !strings.HasPrefix(err.Error(), "f.toml:1:1: ") || !strings.HasSuffix(err.Error(), "\n  gatway = 1\n  ^") {
		t.Errorf("got %v", err)
	}
}

// Whatever a file holds, what is shown of it is short, and obeyed by no terminal.
func TestStrangeFiles(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for _, tt := range []struct{ name, text, want string }{
		{"binary", "\x7fELF\x02\x01\x01\x00\x1b[2J" + strings.Repeat("\x00\xff", 4000) + "\n" + minimal, `\x7fELF\x02\x01\x01\x00\x1b[2J`},
		{"long line", "a = \"" + long + "\" b\n", "…"},
		{"long line with a mistake at its end", minimal + "client_id = \"" + long + "\" ]\n", "xxxx\" ]\n"},
		{"long line in UTF-8", minimal + "client_id = \"" + strings.Repeat("ü", 500) + "\" ]\n", "üüü\" ]\n"},
		{"escape in a key", minimal + "[gateway]\n\"\\u001b[31m\" = 1\n", `unknown key "\x1b[31m"`},
		{"escape in a table's key", minimal + "[[sensor]]\nname = \"s\"\nevery = \"1s\"\ndriver = \"bme280\"\nbus = \"/dev/i2c-1\"\n[sensor.options.columns.\"\\u001b[31m\"]\nx = 1\n", `unknown key "x" in sensor "s".options.columns.\x1b[31m`},
		{"escape in a variable", minimal + "client_id = \"${\\u001b[31m}\"\n", `no variable \x1b[31m`},
		{"tab", "\t[gatway]\n" + minimal, "\n   [gatway]\n    ^"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse(tt.text)
			var problems config.Problems
			if !errors.As(err, &problems) || !strings.Contains(err.Error()+"\n", tt.want) {
				t.Fatalf("want %q, got %v", tt.want, err)
			}
			for _, p := range problems {
				if len(p.Text) > 200 || len(p.Msg) > 2100 || strings.ContainsFunc(p.Text+p.Msg, unicode.IsControl) {
					t.Errorf("got %d and %d bytes: %q %q", len(p.Text), len(p.Msg), p.Text, p.Msg)
				}
				lines := strings.Split(p.String(), "\n")
				if p.Line > 0 && (len(lines) != 3 || len([]rune(lines[2])) > len([]rune(lines[1]))+1) {
					t.Errorf("the mark is beside the line:\n%v", p)
				}
			}
		})
	}
}

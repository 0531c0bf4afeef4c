package drivers

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestBusNames(t *testing.T) {
	tests := []struct {
		bus  Bus
		name string
		want string // part of the error
	}{
		{I2CBus, "/dev/i2c-1", ""},
		{I2CBus, "1", `such as "/dev/i2c-1"`},
		{SerialBus, "/dev/ttyUSB0", ""},
		{SerialBus, "ttyUSB0", "must be a device file of a serial port"},
		{SerialBus, "/dev/i2c-1", "must be a device file of a serial port"},
		{I2CBus, "/dev/ttyUSB0", "must be the device file of an I2C bus"},
		{I2CBus, "/dev/serial/by-id/usb-x", "must be the device file of an I2C bus"},
		{SerialBus, "usb:0403:6001", ""},
		{SerialBus, "usb:0403:6001:FT0001", ""},
		{SerialBus, "usb:403:6001", `"usb:VID:PID"`},
		{SerialBus, "192.168.1.20:4001", ""},
		{SerialBus, "unix:/run/meter.sock", ""},
		{SerialBus, "unix:meter.sock", `such as "unix:/run/meter.sock"`},
		{SerialBus, "exec:/usr/bin/rtl_433 -F json", ""},
		{SerialBus, "exec:rtl_433", `the whole path of a program`},
		{SerialBus, "exec:", `the whole path of a program`},
		{SerialBus, "exec:/bin/echo 'a", "the quote ' is not closed"},
		{SerialBus, "exec:/bin/a | grep b", "has |, but no shell that would understand it: write a script"},
		{SerialBus, "exec:/bin/a 2>/dev/null", "has 2>/dev/null, but no shell"},
		{SerialBus, "exec:/bin/a 2>&1", "has 2>&1, but no shell"},
		{SerialBus, "exec:/bin/a ; b", "has ;, but no shell"},
		{SerialBus, "exec:/bin/a > /dev/null", "has >, but no shell"},
		{SerialBus, "exec:/bin/a &", "has &, but no shell"},
		{SerialBus, "exec:/bin/sh -c 'a | b 2>&1'", ""},
		{SerialBus, "exec:/bin/cut -d '|' -f \">2\" http://x/?a=1&b=2 2 1", ""},
		{SerialBus, "ttyUSB0", `"host:port", "unix:/path", or "exec:/path arguments"`},
		{NetworkBus, "exec:/usr/bin/rtl_433", "must be a host and a port"},
		{NetworkBus, "/dev/ttyUSB0", "must be a host and a port"},
		{NetworkBus, "192.168.1.20:502", ""},
		{NetworkBus, "[fe80::1%eth0]:502", ""},
		{NetworkBus, "meter.local:502", ""},
		{NetworkBus, "192.168.1.20", "must be a host and a port"},
		{NetworkBus, "192.168.1.20:0", "must be a host and a port"},
		{NetworkBus, ":502", "must be a host and a port"},
		{NetworkBus, "tcp://192.168.1.20:502", "must be a host and a port"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.bus.Check(test.name)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("want %q, got %v", test.want, err)
			}
		})
	}
	if n, ok := ParseUSBName("usb:0403:60AB:FT:1"); !ok || n != (USBName{"0403", "60ab", "FT:1"}) || n.String() != "usb:0403:60ab:FT:1" {
		t.Errorf("got %+v, %v", n, ok)
	}
}

func TestPrograms(t *testing.T) {
	p, err := ParsePort(`exec:/opt/my\ app  "a b"c '' 'it"s' -x	$HOME`)
	if want := []string{`/opt/my\`, "app", "a bc", "", `it"s`, "-x", "$HOME"}; err != nil || p.Kind != ProgramPort || !slices.Equal(p.Program, want) {
		t.Errorf("want %q, got %+v, %v", want, p, err)
	}
}

func TestSerialMode(t *testing.T) {
	tests := []struct {
		mode    SerialMode
		text    string
		perByte time.Duration
	}{
		{SerialMode{}, "9600 8N1", 1041666},
		{SerialMode{Baud: 1000, Parity: "even", StopBits: 2}, "1000 8E2", 12 * time.Millisecond},
		{SerialMode{Baud: 1000, DataBits: 7, RS485: RS485{Enabled: true}}, "1000 7N1 RS-485", 9 * time.Millisecond},
		{SerialMode{ConnectDelay: time.Second}, "9600 8N1, silent for 1s after connecting", 1041666},
		{SerialMode{RS485: RS485{Enabled: true, LowSend: true, After: time.Millisecond}}, "9600 8N1 RS-485 with RTS low, 0s before and 1ms after", 1041666},
	}
	for _, test := range tests {
		if test.mode.String() != test.text || test.mode.PerByte() != test.perByte {
			t.Errorf("want %s, %v; got %v, %v", test.text, test.perByte, test.mode, test.mode.PerByte())
		}
	}
}

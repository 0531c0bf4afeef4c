package main

import (
	"encoding/json"
	"net"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/modbus/modbustest"
	"github.com/fieldgate/fieldgate/internal/modbusline"
)

// modbusLine is a pseudo-terminal with units, which hear only what is sent at a baud rate, unless
// that is 0.
func modbusLine(t *testing.T, baud uint32, units map[byte]*modbustest.Unit) (port string) {
	t.Helper()
	device, port := drivertest.Pty(t)
	wire, err := os.OpenFile(port, os.O_RDWR|unix.O_NOCTTY, 0) // without a program a pseudo-terminal is hung up
	if err != nil {
		t.Fatal(err)
	}
	l := &modbustest.Line{Units: units, Garble: func(_, answer []byte) ([]byte, time.Duration) {
		set, err := unix.IoctlGetTermios(int(wire.Fd()), unix.TCGETS2)
		if err != nil || baud != 0 && set.Ospeed != baud {
			return nil, 0
		}
		return answer, 0
	}}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = l.Serve(device) }()
	t.Cleanup(func() { device.Close(); <-ended; wire.Close() })
	return port
}

// modbusServer answers Modbus TCP.
func modbusServer(t *testing.T, answer func(request []byte) []byte) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			var b [512]byte
			for {
				n, err := c.Read(b[:])
				if err != nil {
					break
				}
				if a := answer(b[:n]); a != nil {
					if _, err := c.Write(a); err != nil {
						break
					}
				}
			}
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-ended })
	return l.Addr().String()
}

// narrow reports a line that a terminal of 80 columns breaks.
func narrow(t *testing.T, out string) {
	t.Helper()
	for line := range strings.Lines(out) {
		if utf8.RuneCountInString(strings.TrimRight(line, "\n")) > 80 {
			t.Errorf("wider than 80 columns: %s", line)
		}
	}
}

func TestModbusScan(t *testing.T) {
	t.Parallel()
	g := newGateway(t, "mqtt://127.0.0.1:1", waveSensor)
	config := g.path("fieldgate.toml")
	port := modbusLine(t, 19200, map[byte]*modbustest.Unit{3: modbustest.NewUnit().Holding(0, 230), 20: modbustest.NewUnit().Input(0, 1)})
	out, code := g.command("modbus", "scan", port, "--baud", "9600,19200", "--parity", "none", "--units", "1-4,18-21", "--timeout", "100ms", "-c", config)
	t.Log("\n" + out)
	if code != exitDone || !strings.Contains(out, "3     19200  none    holding register 0 is 230\n") || !strings.Contains(out, "20    19200  none    exception 2 (illegal address)\n") {
		t.Errorf("exit code %d: %s", code, out)
	}
	narrow(t, out)
	units := map[byte]*modbustest.Unit{1: modbustest.NewUnit().Holding(0, 7), 2: modbustest.NewUnit().Holding(0, 7), 3: modbustest.NewUnit().Holding(0, 7), 9: modbustest.NewUnit()}
	server := modbusServer(t, func(q []byte) []byte {
		if a := modbustest.TCP(units, q); a != nil {
			return a
		}
		return []byte{q[0], q[1], 0, 0, 0, 3, q[6], q[7] | 0x80, 11} // of the gateway
	})
	out, code = g.command("modbus", "scan", server, "--units", "0-31", "-c", config)
	t.Log("\n" + out)
	if code != exitDone || !strings.Contains(out, "1 to 3  holding register 0 is 7\n") || !strings.Contains(out, "9       exception 2 (illegal address)\n") || strings.Contains(out, "11") {
		t.Errorf("exit code %d: %s", code, out)
	}
	out, code = g.command("modbus", "scan", server, "--units", "100", "--json", "-c", config)
	if code != exitFailed || !strings.Contains(out, "[]") || !strings.Contains(out, "no unit answers on "+server+": is this its port, and does it speak Modbus TCP?") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestModbusRead(t *testing.T) {
	t.Parallel()
	g := newGateway(t, "mqtt://127.0.0.1:1", waveSensor)
	config := g.path("fieldgate.toml")
	u := modbustest.NewUnit().Input(0, 0x4366, 0x4000, 0x0000, 0xfffe, 0x4142).Coils(3, true, false)
	port := modbusLine(t, 0, map[byte]*modbustest.Unit{1: u})
	out, code := g.command("modbus", "read", port, "--table", "input", "--count", "5", "-c", config)
	t.Log("\n" + out)
	for _, want := range []string{"0        4366  17254   17254  1130774528  230.25 ", "3        fffe  65534   -2 ", "4        4142  16706   16706 ", " AB\n"} {
		if code != exitDone || !strings.Contains(out, want) {
			t.Errorf("exit code %d: want %q in\n%s", code, want, out)
		}
	}
	narrow(t, out)
	out, code = g.command("modbus", "read", port, "--table", "input", "--count", "2", "--type", "float32", "-c", config)
	t.Log("\n" + out)
	if code != exitDone || !strings.Contains(out, "0        4366  230.25\n1        4000") {
		t.Errorf("exit code %d: %s", code, out)
	}
	out, code = g.command("modbus", "read", port, "--table", "input", "--count", "2", "--json", "-c", config)
	var words []modbusline.Word
	if err := json.Unmarshal([]byte(out), &words); err != nil || code != exitDone || len(words) != 2 || *words[0].Float32 != 230.25 || words[1].Float32 != nil {
		t.Errorf("exit code %d, %v: %s", code, err, out)
	}
	out, code = g.command("modbus", "read", port, "--table", "coil", "--address", "3", "--count", "2", "-c", config)
	t.Log("\n" + out)
	if code != exitDone || !strings.Contains(out, "3        true\n4        false\n") {
		t.Errorf("exit code %d: %s", code, out)
	}
	for _, test := range []struct {
		args []string
		want string
		code int
	}{
		{[]string{port, "--unit", "9"}, port + ": modbus-rtu: unit 9: reading holding register 0: no answer within 300ms", exitFailed},
		{[]string{port, "--unit", "300"}, "option unit_id: 300; want 1 to 255", exitUsage},
		{[]string{port, "--type", "float"}, `"float" is none of uint16`, exitUsage},
		{[]string{port, "--type", "float32", "--count", "3"}, "a float32 has 2 registers, of which 3 are not a multiple", exitUsage},
		{[]string{"ttyUSB0"}, `"ttyUSB0" must be a device file`, exitUsage},
		{[]string{"127.0.0.1:502", "--baud", "9600"}, "--baud: baud is not an option of modbus-tcp", exitUsage},
		{nil, "want read BUS", exitUsage},
	} {
		if out, code := g.command(append(append([]string{"modbus", "read"}, test.args...), "-c", config)...); code != test.code || !strings.Contains(out, test.want) {
			t.Errorf("%v: want exit code %d and %q, got %d: %s", test.args, test.code, test.want, code, out)
		}
	}
}

func TestModbusWrite(t *testing.T) {
	t.Parallel()
	g := newGateway(t, "mqtt://127.0.0.1:1", waveSensor)
	config := g.path("fieldgate.toml")
	u := modbustest.NewUnit().Holding(5, 21)
	port := modbusLine(t, 0, map[byte]*modbustest.Unit{1: u})
	args := []string{"modbus", "write", port, "--address", "5", "--type", "int16", "-c", config}
	out, code := g.command(append(args, "--yes", "--", "-42")...)
	t.Log("\n" + out)
	if code != exitDone || int16(u.HoldingAt(5)) != -42 || out != "holding register 5 was 21 and is -42\n" {
		t.Errorf("exit code %d, %d: %s", code, u.HoldingAt(5), out)
	}
	for value, want := range map[string]string{"40000": "40000 does not fit a int16", "warm": `"warm" is not a whole number`} {
		if out, code := g.command(append(args, "--yes", value)...); code == exitDone || !strings.Contains(out, want) {
			t.Errorf("exit code %d, want %q: %s", code, want, out)
		}
	}
	if out, code := g.command(append(args, "1")...); code != exitUsage || !strings.Contains(out, "confirm with --yes") || int16(u.HoldingAt(5)) != -42 {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// TestModbusLeavesTheGatewaysBusAlone: none of the commands touches a bus that the gateway reads;
// another one is not its affair.
func TestModbusLeavesTheGatewaysBusAlone(t *testing.T) {
	t.Parallel()
	u := modbustest.NewUnit().Holding(0, 7)
	port := modbusLine(t, 0, map[byte]*modbustest.Unit{1: u})
	free := modbusLine(t, 0, map[byte]*modbustest.Unit{1: modbustest.NewUnit().Holding(0, 8)})
	g := newGateway(t, "mqtt://127.0.0.1:1", "[[sensor]]\nname = \"meter\"\ndriver = \"modbus-rtu\"\nbus = \""+port+"\"\nevery = \"1h\"\n[[sensor.options.registers]]\nfield = \"power\"\n"+
		"[[sensor]]\nname = \"meter-2\"\ndriver = \"modbus-tcp\"\nbus = \"127.0.0.1:1502\"\nevery = \"1h\"\n[[sensor.options.registers]]\nfield = \"power\"\n")
	g.running()
	config := g.path("fieldgate.toml")
	link := g.path("port")
	if err := os.Symlink(port, link); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"scan", port}, {"read", port}, {"read", link}, {"write", port, "9", "--yes"}, {"identify", "localhost:1502"}} {
		out, code := g.command(append(append([]string{"modbus"}, args...), "-c", config)...)
		if code != exitFailed || !strings.Contains(out, "the gateway is running") || !strings.Contains(out, "reads sensor meter") {
			t.Errorf("%v: exit code %d: %s", args, code, out)
		}
	}
	if out, code := g.command("modbus", "read", free, "-c", config); code != exitDone || !strings.Contains(out, "0008") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// TestModbusIdentify: a device of the library is named with its options, another is not.
func TestModbusIdentify(t *testing.T) {
	t.Parallel()
	meter := modbustest.NewUnit().Input(0x34, make([]uint16, 2)...).Input(0x46, 0x4247, 0xeb85).Input(0x48, make([]uint16, 4)...).Input(0x156, make([]uint16, 4)...)
	for address := uint16(0); address <= 0x1e; address += 6 { // voltage, current, powers, factor of one phase
		meter.Input(address, 0x4367, 0x8000) // 231.5
	}
	meter.Input(0x4c, make([]uint16, 4)...)
	port := modbusLine(t, 115200, map[byte]*modbustest.Unit{3: meter, 4: modbustest.NewUnit().Holding(7, 7)})
	g := newGateway(t, "mqtt://127.0.0.1:1", waveSensor)
	identify := func(unit, timeout string) (string, int) {
		return g.command("modbus", "identify", port, "--unit", unit, "--baud", "115200", "--timeout", timeout, "-c", g.path("fieldgate.toml"))
	}
	out, code := identify("3", "200ms")
	t.Log("\n" + out)
	narrow(t, out)
	for _, want := range []string{"eastron-sdm120\n    voltage is 231.5, frequency is 49.98\n", "every = \"10s\"\n[sensor.options]\nprofile = \"eastron-sdm120\"\nunit_id = 3\nbaud = 115200\n"} {
		if code != exitDone || !strings.Contains(out, want) {
			t.Errorf("want %q, got\n%s", want, out)
		}
	}
	if out, code := identify("4", "200ms"); code != exitFailed || !strings.Contains(out, "unit 4 answers, but no profile fits") {
		t.Errorf("got %s", out)
	}
	if out, code := identify("5", "20ms"); code != exitFailed || !strings.Contains(out, "no answer within 20ms") {
		t.Errorf("got %s", out)
	}
}

// TestDoctorNamesTheProfile: a sensor with the profile of another device is told which one fits.
func TestDoctorNamesTheProfile(t *testing.T) {
	t.Parallel()
	meter := modbustest.NewUnit().Input(0x46, 0x4247, 0xeb85).Input(0x48, make([]uint16, 8)...).Input(0x156, make([]uint16, 4)...)
	for address := uint16(0); address <= 0x1e; address += 6 {
		meter.Input(address, 0x4367, 0x8000)
	}
	port := modbusLine(t, 0, map[byte]*modbustest.Unit{3: meter, 4: modbustest.NewUnit().Holding(7, 7)})
	for unit, want := range map[string]string{
		"3": `what answers is not a device of the profile janitza-umg604: set profile = "eastron-sdm120"`,
		"4": "what answers is not a device of the profile janitza-umg604, and no other fits",
	} {
		g := newGateway(t, "mqtt://127.0.0.1:1", "[[sensor]]\nname = \"meter\"\ndriver = \"modbus-rtu\"\nbus = \""+port+
			"\"\nevery = \"1h\"\n[sensor.options]\nprofile = \"janitza-umg604\"\nunit_id = "+unit+"\nbaud = 115200\n")
		out, _ := g.command("doctor", "-c", g.path("fieldgate.toml"))
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("unit %s: %s", unit, out)
		}
	}
}

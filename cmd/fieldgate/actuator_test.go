package main

import (
	be "encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/drivers/modbus/modbustest"
	"github.com/fieldgate/fieldgate/internal/contract"
)

// serveModbus serves a unit over TCP and returns the address.
func serveModbus(t *testing.T, unit *modbustest.Unit) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for {
					head := make([]byte, 6)
					if _, err := io.ReadFull(c, head); err != nil {
						return
					}
					body := make([]byte, be.BigEndian.Uint16(head[4:]))
					if _, err := io.ReadFull(c, body); err != nil {
						return
					}
					if _, err := c.Write(modbustest.TCP(map[byte]*modbustest.Unit{1: unit}, append(head, body...))); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// TestWriteCommand sets registers of a Modbus device by remote command: with the scale of readings,
// within the bounds of the configuration, once for each id.
func TestWriteCommand(t *testing.T) {
	m := newMosquitto(t)
	unit := modbustest.NewUnit().Holding(0, 200, 7).Coils(0, false)
	address := serveModbus(t, unit)
	g := newGateway(t, m.url(), fmt.Sprintf(`[commands]
allow = ["write", "read"]
[[sensor]]
name = "boiler"
driver = "modbus-tcp"
bus = %q
every = "100ms"
[[sensor.options.registers]]
field = "setpoint"
address = 0
type = "int16"
scale = 0.1
unit = "Cel"
writable = true
[[sensor.options.registers]]
field = "mode"
address = 1
[[sensor.options.registers]]
field = "pump"
table = "coil"
address = 0
type = "bool"
writable = true
[sensor.field.setpoint]
offset = 1.0
min = 5.0
max = 90.0
`, address))
	g.start()
	g.online()
	command := func(payload string) contract.Reply {
		t.Helper()
		text := m.client("mosquitto_rr", "-t", "fieldgate/gw/cmd/write", "-e", "my/answers", "-m", payload, "-W", "5", "-F", "%p")
		var r contract.Reply
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		return r
	}
	first := command(`{"id":"w1","args":{"sensor":"boiler","fields":{"setpoint":61.5,"pump":true}}}`)
	if first.State != contract.Succeeded || unit.HoldingAt(0) != 605 || !strings.Contains(string(first.Result), `"setpoint":61.5`) || !strings.Contains(string(first.Result), `"pump":true`) {
		t.Errorf("%+v, %s, register %d", first, first.Result, unit.HoldingAt(0))
	}
	unit.Holding(0, 100)
	if again := command(`{"id":"w1","args":{"sensor":"boiler","fields":{"setpoint":61.5,"pump":true}}}`); again.State != contract.Succeeded || unit.HoldingAt(0) != 100 {
		t.Errorf("the same id once more: %+v, register %d", again, unit.HoldingAt(0))
	}
	for i, tt := range []struct{ args, want string }{
		{`{"sensor":"boiler","fields":{"setpoint":91}}`, "min and max"},
		{`{"sensor":"boiler","fields":{"setpoint":"warm"}}`, "is a float"},
		{`{"sensor":"boiler","fields":{"setpoint":null}}`, "set to null"},
		{`{"sensor":"boiler","fields":{"pump": null }}`, "set to null"},
		{`{"sensor":"boiler","fields":{"mode":1}}`, "cannot be written"},
		{`{"sensor":"boiler","fields":{"speed":1}}`, "no such fields"},
		{`{"sensor":"boiler","fields":{}}`, "what to set"},
		{`{"sensor":"roof","fields":{"setpoint":20}}`, "there is no sensor"},
	} {
		r := command(fmt.Sprintf(`{"id":"b%d","args":%s}`, i, tt.args))
		if r.State != contract.Failed || !strings.Contains(r.Error, tt.want) || unit.HoldingAt(0) != 100 {
			t.Errorf("%s: %+v, register %d", tt.args, r, unit.HoldingAt(0))
		}
	}
	s := subscribe(t, m, "fieldgate/gw/sensors/#")
	if text := s.newest("fieldgate/gw/sensors/boiler"); strings.Count(text, `"writable":true`) != 2 {
		t.Errorf("the description: %s", text)
	}
	if h, err := g.ask(); err != nil || h.Health.Sensors["boiler"].State != "ok" {
		t.Errorf("refused values made the sensor %+v, %v", h.Health.Sensors["boiler"], err)
	}
}

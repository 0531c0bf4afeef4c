package modbus

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/modbus/modbustest"
)

func TestTCPLines(t *testing.T) {
	units := map[byte]*modbustest.Unit{1: modbustest.NewUnit().Holding(0, 7)}
	tests := []struct {
		name   string
		answer func(q []byte) []byte
		want   string // "" is a reading
	}{
		{"clean", func(q []byte) []byte { return modbustest.TCP(units, q) }, ""},
		{"late answer before", func(q []byte) []byte {
			late := modbustest.TCP(units, q)
			late[1]--
			late[10] = 99
			return append(late, modbustest.TCP(units, q)...)
		}, ""},
		{"silence", func(q []byte) []byte { return nil }, "no answer within 1s: is this its unit_id"},
		{"only a late answer", func(q []byte) []byte { a := modbustest.TCP(units, q); a[1]--; return a }, "no answer within 1s, only one to an earlier request: the device is slower than its timeout"},
		{"another unit", func(q []byte) []byte { a := modbustest.TCP(units, q); a[6] = 2; return a }, "the answer does not fit the request: it is of unit 2, not 1: is that its unit_id?"},
		{"another length", func(q []byte) []byte { a := modbustest.TCP(units, q); a[8] = 1; return a }, "the answer does not fit the request"},
		{"HTTP", func(q []byte) []byte { return []byte("HTTP/1.1 400 Bad Request\r\n") }, "what came is not Modbus TCP (mostly port 502): 48 54 54 50"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := SpecTCP.Options().(*TCP)
				o.Registers = []Register{{Field: "a"}}
				buses := drivertest.OnSerial(drivertest.Device{Answers: func(q []byte) string { return string(test.answer(q)) }})
				d, err := SpecTCP.Open(t.Context(), buses, "host:502", o)
				if err != nil {
					t.Fatal(err)
				}
				values, err := d.Read(t.Context())
				if test.want == "" && (err != nil || text(values) != "[a=7(int)]") {
					t.Errorf("want the value, got %s, %v", text(values), err)
				}
				if test.want != "" && (err == nil || !strings.Contains(err.Error(), "modbus-tcp: unit 1: reading holding register 0: "+test.want)) {
					t.Errorf("want %q, got %v", test.want, err)
				}
			})
		})
	}
}

package modbus

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/modbus/modbustest"
)

// A scriptedPort says what a function makes of a request, then, unless end is nil, fails with end.
type scriptedPort struct {
	answer  func(q []byte) []byte
	end     error
	rest    []byte
	ended   error
	timeout time.Duration
}

func (p *scriptedPort) SetReadTimeout(d time.Duration) error { p.timeout = d; return nil }

func (p *scriptedPort) Write(b []byte) (int, error) {
	p.rest, p.ended = p.answer(b), p.end
	return len(b), nil
}

func (p *scriptedPort) Read(b []byte) (int, error) {
	if len(p.rest) > 0 {
		n := copy(b, p.rest)
		p.rest = p.rest[n:]
		return n, nil
	}
	if p.ended != nil {
		return 0, p.ended
	}
	time.Sleep(p.timeout)
	return 0, os.ErrDeadlineExceeded
}

// A scriptedConnection is a scriptedPort at the other end of a network.
type scriptedConnection struct{ scriptedPort }

func (*scriptedConnection) HangUp() error { return nil }

// TestHints: whatever a device does instead of answering, the message names the options, or the
// driver, that may help, and these exist.
func TestHints(t *testing.T) {
	meter := modbustest.NewUnit().Holding(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10).Coils(0, make([]bool, 20)...)
	rtu := func(q []byte) []byte {
		a, _ := (&modbustest.Line{Units: map[byte]*modbustest.Unit{1: meter}}).Hears(q)
		return a
	}
	tcp := func(q []byte) []byte { return modbustest.TCP(map[byte]*modbustest.Unit{1: meter}, q) }
	silent := func([]byte) []byte { return nil }
	// once is silent after its first answer
	once := func(answer func([]byte) []byte) func([]byte) []byte {
		asked := 0
		return func(q []byte) []byte {
			if asked++; asked > 1 {
				return nil
			}
			return answer(q)
		}
	}
	// cut answers fewer registers than were asked for
	cut := func(answer func([]byte) []byte, count, keep int) func([]byte) []byte {
		return func(q []byte) []byte {
			q = append([]byte(nil), q...)
			if q[count] = byte(keep); len(q) == 8 {
				q = modbustest.Frame(q[:6]...)
			}
			return answer(q)
		}
	}
	refuses := func(code byte) func([]byte) []byte {
		return func(q []byte) []byte {
			if len(q) == 8 {
				return modbustest.Frame(q[0], q[1]|0x80, code)
			}
			return []byte{q[0], q[1], 0, 0, 0, 3, q[6], q[7] | 0x80, code}
		}
	}
	row := func(n int, gap int) []Register {
		all := make([]Register, n)
		for i := range all {
			all[i] = Register{Field: "f" + string(rune('a'+i)), Address: i * (1 + gap)}
		}
		return all
	}
	far := []Register{{Field: "a"}, {Field: "b", Address: 5}}
	coils := []Register{{Field: "a", Table: "coil"}, {Field: "b", Table: "coil", Address: 16}}
	tests := []struct {
		name      string
		answer    func(q []byte) []byte
		registers []Register
		change    func(*settings)
		on        string // "rtu", "tcp", or "server": RTU frames through a connection
		want      string // the words that are options or drivers
	}{
		{"silent line", silent, row(1, 0), nil, "rtu", "unit_id baud parity"},
		{"silent after an answer", once(rtu), far, nil, "rtu", "gap timeout"},
		{"silent device server", silent, row(1, 0), nil, "server", "unit_id modbus-tcp"},
		{"silent device", silent, row(1, 0), nil, "tcp", "unit_id modbus-rtu"},
		{"silent device after an answer", once(tcp), far, nil, "tcp", "gap timeout"},
		{"noise", func([]byte) []byte { return []byte{0, 0xfe, 0x80, 0xf8} }, row(1, 0), nil, "rtu", "baud parity stop_bits"},
		{"broken off", func(q []byte) []byte { return rtu(q)[:6] }, row(1, 0), nil, "rtu", "max_read timeout"},
		{"broken off", func(q []byte) []byte { return tcp(q)[:9] }, row(1, 0), nil, "tcp", "max_read timeout"},
		{"another unit", func(q []byte) []byte { return modbustest.Frame(0, 3, 2, 0, 1) }, row(1, 0), nil, "rtu", "any_unit timeout"},
		{"another unit", func(q []byte) []byte { a := tcp(q); a[6] = 255; return a }, row(1, 0), nil, "tcp", "any_unit"},
		{"fewer registers", cut(rtu, 5, 4), row(10, 0), nil, "rtu", "max_read = 4"},
		{"fewer registers", cut(tcp, 11, 4), row(10, 0), nil, "tcp", "max_read = 4"},
		{"fewer coils", cut(tcp, 11, 16), coils, func(s *settings) { s.maxGap = 20 }, "tcp", "max_read_bits = 16"},
		{"late answers", func(q []byte) []byte { a := tcp(q); a[1]--; return a }, row(1, 0), nil, "tcp", "timeout gap"},
		{"RTU frame through a connection", func(q []byte) []byte { return modbustest.Frame(1, 3, 2, 0, 7) }, row(1, 0), nil, "tcp", "modbus-rtu"},
		{"RTU exception through a connection", func(q []byte) []byte { return modbustest.Frame(1, 0x83, 2) }, row(1, 0), nil, "tcp", "modbus-rtu"},
		{"Modbus TCP on a device server", func(q []byte) []byte { return []byte{q[0], q[1], 0, 0, 0, 3, q[6], 0x8a, 1} }, row(3, 0), nil, "server", "modbus-tcp"},
		{"exception 2 on several fields", refuses(2), row(3, 0), nil, "rtu", "max_read one_request_per_field"},
		{"exception 3 on several fields", refuses(3), row(3, 0), nil, "tcp", "max_read one_request_per_field"},
		{"exception 2 on several coils", refuses(2), coils, func(s *settings) { s.maxGap = 20 }, "tcp", "max_read_bits one_request_per_field max_gap"},
		{"exception 2 on a hole", refuses(2), row(3, 1), func(s *settings) { s.maxGap = 1 }, "tcp", "max_gap = 0 max_read one_request_per_field"},
		{"busy", refuses(6), row(1, 0), nil, "tcp", "timeout"},
		{"no path", refuses(10), row(1, 0), nil, "tcp", "unit_id"},
		{"no target", refuses(11), row(1, 0), nil, "tcp", "unit_id"},
	}
	for _, test := range tests {
		t.Run(test.on+" "+test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := scripted(t, test.on, &scriptedPort{answer: test.answer}, test.registers, test.change).Read(t.Context())
				wantOptions(t, err, test.on, test.want)
			})
		})
	}
}

// scripted opens a driver on a scripted port.
func scripted(t *testing.T, on string, p *scriptedPort, registers []Register, change func(*settings)) drivers.Driver {
	t.Helper()
	o, m := SpecTCP.Options().(*TCP), SpecRTU.Options().(*RTU)
	o.Registers, m.Registers = registers, registers
	s := o.settings()
	if on != "tcp" {
		s = m.settings()
	}
	if change != nil {
		change(s)
	}
	var l link
	switch on {
	case "tcp":
		l = newTCP(s, &scriptedConnection{*p})
	case "server":
		l = newRTU(s, &scriptedConnection{*p}, m.mode())
	default:
		l = newRTU(s, p, m.mode())
	}
	d, err := open(t.Context(), s, p, l)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// wantOptions checks that a message has words, and that those which look like an option or a driver
// are one.
func wantOptions(t *testing.T, err error, on, want string) {
	t.Helper()
	if err == nil {
		t.Fatal("want an error")
	}
	_, message, _ := strings.Cut(err.Error(), "unit 1: ")
	for word := range strings.SplitSeq(want, " ") {
		if !regexp.MustCompile(`(^|[^\w-])` + regexp.QuoteMeta(word) + `($|[^\w-])`).MatchString(message) {
			t.Errorf("want %q in: %s", word, message)
		}
	}
	options := reflect.TypeOf(SpecRTU.Options()).Elem()
	if on == "tcp" {
		options = reflect.TypeOf(SpecTCP.Options()).Elem()
	}
	known := map[string]bool{SpecRTU.Name: true, SpecTCP.Name: true}
	for i := range options.NumField() {
		known[options.Field(i).Tag.Get("toml")] = true
	}
	for _, word := range regexp.MustCompile(`modbus-\w+|\w+_\w+`).FindAllString(message, -1) {
		if !known[word] {
			t.Errorf("%s is neither an option nor a driver: %s", word, message)
		}
	}
	t.Log(message)
}

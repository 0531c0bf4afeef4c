package modbus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/modbus/modbustest"
)

// A carried is one of the two drivers, with a device that a function of unit, function and data
// plays. It returns nil for silence, otherwise the answer in the same form.
type carried struct {
	name string
	open func(t *testing.T, answer func(q []byte) []byte, registers []Register, change func(*settings)) (drivers.Driver, error)
}

// both are the drivers.
func both() []carried {
	return []carried{
		{"modbus-rtu", func(t *testing.T, answer func([]byte) []byte, registers []Register, change func(*settings)) (drivers.Driver, error) {
			o := SpecRTU.Options().(*RTU)
			o.Registers = registers
			s := o.settings()
			return openWith(t, s, change, func(p drivers.Port) link { return newRTU(s, p, o.mode()) }, func(q []byte) []byte {
				if a := answer(q[:len(q)-crcSize]); a != nil {
					return modbustest.Frame(a...)
				}
				return nil
			})
		}},
		{"modbus-tcp", func(t *testing.T, answer func([]byte) []byte, registers []Register, change func(*settings)) (drivers.Driver, error) {
			o := SpecTCP.Options().(*TCP)
			o.Registers = registers
			s := o.settings()
			return openWith(t, s, change, func(p drivers.Port) link { return newTCP(s, p) }, func(q []byte) []byte {
				a := answer(q[headerSize:])
				if a == nil {
					return nil
				}
				return append(binary.BigEndian.AppendUint16(append([]byte(nil), q[:4]...), uint16(len(a))), a...)
			})
		}},
	}
}

func openWith(t *testing.T, s *settings, change func(*settings), l func(drivers.Port) link, answer func([]byte) []byte) (drivers.Driver, error) {
	t.Helper()
	if change != nil {
		change(s)
	}
	port, err := drivertest.OnSerial(drivertest.Device{
		Delay:   time.Millisecond,
		Answers: func(q []byte) string { return string(answer(q)) },
	}).Port(t.Context(), "bus", drivers.SerialMode{})
	if err != nil {
		t.Fatal(err)
	}
	return open(t.Context(), s, port, l(port))
}

// plays makes the answer of a unit, whatever its id in the request.
func plays(u *modbustest.Unit) func(q []byte) []byte {
	return func(q []byte) []byte { return append([]byte{q[0]}, u.Answer(q[1:])...) }
}

// oddDevice reads with a device on both drivers.
func oddDevice(t *testing.T, answer func() func(q []byte) []byte, registers []Register, change func(*settings), check func(t *testing.T, values []drivers.Value, err error)) {
	t.Helper()
	for _, on := range both() {
		t.Run(on.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, err := on.open(t, answer(), registers, change)
				if err != nil {
					t.Fatal(err)
				}
				values, err := d.Read(t.Context())
				check(t, values, err)
			})
		})
	}
}

func wantText(want string) func(*testing.T, []drivers.Value, error) {
	return func(t *testing.T, values []drivers.Value, err error) {
		t.Helper()
		if got := text(values); err != nil || got != want {
			t.Errorf("want %s, got %s, %v", want, got, err)
		}
	}
}

// TestGap: a device that ignores what comes within 100 ms of its last answer.
func TestGap(t *testing.T) {
	registers := []Register{{Field: "a"}, {Field: "b", Address: 10}, {Field: "c", Address: 20}}
	strict := func() func(q []byte) []byte {
		var last time.Time
		u := modbustest.NewUnit().Holding(0, 1).Holding(10, 2).Holding(20, 3)
		return func(q []byte) []byte {
			if time.Since(last) < 100*time.Millisecond {
				return nil
			}
			last = time.Now()
			return plays(u)(q)
		}
	}
	oddDevice(t, strict, registers, nil, func(t *testing.T, values []drivers.Value, err error) {
		if err == nil || !strings.Contains(err.Error(), "gap") {
			t.Errorf("without a gap: want a failure that names it, got %s, %v", text(values), err)
		}
	})
	oddDevice(t, strict, registers, func(s *settings) { s.gap = 100 * time.Millisecond }, wantText("[a=1(int) b=2(int) c=3(int)]"))
}

// TestOneRequestPerField: a device that answers one value at a time, whatever the number of its
// registers, and has no others.
func TestOneRequestPerField(t *testing.T) {
	registers := []Register{{Field: "a", Type: "float32"}, {Field: "b", Address: 2, Type: "float32"}, {Field: "status", Address: 4}, {Field: "alarm", Address: 4, Type: "bool", Bit: 1}}
	for _, on := range both() {
		t.Run(on.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := modbustest.NewUnit().Holding(0, 0x4120, 0, 0x41a0, 0, 2)
				single := func(q []byte) []byte {
					if start, n := q[3], q[5]; n > 2 || start == 4 && n > 1 || start%2 != 0 {
						return []byte{q[0], q[1] | 0x80, 2}
					}
					return plays(u)(q)
				}
				d, err := on.open(t, single, registers, func(s *settings) { s.oneRequest = true })
				if err != nil {
					t.Fatal(err)
				}
				values, err := d.Read(t.Context())
				wantText("[a=10(float) b=20(float) status=2(int) alarm=true(bool)]")(t, values, err)
				if got := requests(u); got != "[03 00 00 00 02] [03 00 02 00 02] [03 00 04 00 01]" {
					t.Errorf("want the fields of a register in one request, got %s", got)
				}
			})
		})
	}
}

// TestAnyUnit: a device that answers with another unit id.
func TestAnyUnit(t *testing.T) {
	for _, id := range []byte{0, 255} {
		other := func() func(q []byte) []byte {
			u := modbustest.NewUnit().Holding(0, 7)
			return func(q []byte) []byte { return append([]byte{id}, u.Answer(q[1:])...) }
		}
		registers := []Register{{Field: "a", Writable: true}}
		oddDevice(t, other, registers, func(s *settings) { s.anyUnit = true }, wantText("[a=7(int)]"))
		oddDevice(t, other, registers, nil, func(t *testing.T, values []drivers.Value, err error) {
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("unit %d", id)) || !strings.Contains(err.Error(), "any_unit") {
				t.Errorf("want a failure that names unit and option, got %s, %v", text(values), err)
			}
		})
		for _, on := range both() {
			synctest.Test(t, func(t *testing.T) {
				d, err := on.open(t, other(), registers, func(s *settings) { s.anyUnit = true })
				if err != nil {
					t.Fatal(err)
				}
				if err := d.(drivers.Writer).Write(t.Context(), drivers.Int("a", 9)); err != nil {
					t.Errorf("%s: %v", on.name, err)
				}
			})
		}
	}
}

// busyUntil plays a unit that refuses with an exception until a time.
func busyUntil(u *modbustest.Unit, code byte, until time.Duration) func(q []byte) []byte {
	begin := time.Now()
	return func(q []byte) []byte {
		if time.Since(begin) < until {
			return []byte{q[0], q[1] | 0x80, code}
		}
		return plays(u)(q)
	}
}

// TestBusy: what a device is too busy for is asked again within the timeout.
func TestBusy(t *testing.T) {
	registers := []Register{{Field: "a", Writable: true}}
	const until = 150 * time.Millisecond
	for _, code := range []byte{5, 6} {
		device := func() func(q []byte) []byte { return busyUntil(modbustest.NewUnit().Holding(0, 7), code, until) }
		oddDevice(t, device, registers, func(s *settings) { s.timeout = 300 * time.Millisecond }, wantText("[a=7(int)]"))
		oddDevice(t, device, registers, func(s *settings) { s.timeout = 100 * time.Millisecond }, func(t *testing.T, values []drivers.Value, err error) {
			var e Exception
			if !errors.As(err, &e) || byte(e) != code || !strings.Contains(err.Error(), "timeout") {
				t.Errorf("want exception %d, and timeout named, got %s, %v", code, text(values), err)
			}
		})
	}
}

// TestBusyIsBounded: a device that stays busy has its line for its timeout, and one that falls
// silent meanwhile too.
func TestBusyIsBounded(t *testing.T) {
	for _, silent := range []bool{false, true} {
		for _, on := range both() {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				d, err := on.open(t, func(q []byte) []byte {
					if asked++; silent && asked > 1 {
						return nil
					}
					return []byte{q[0], q[1] | 0x80, 6}
				}, []Register{{Field: "a"}}, func(s *settings) { s.timeout = 300 * time.Millisecond })
				if err != nil {
					t.Fatal(err)
				}
				begin := time.Now()
				_, err = d.Read(t.Context())
				var e Exception
				if took := time.Since(begin); !errors.As(err, &e) || took > 350*time.Millisecond || asked < 2 || asked > 10 {
					t.Errorf("%s, falls silent %v: asked %d times in %v: %v", on.name, silent, asked, took, err)
				}
			})
		}
	}
}

// TestBusyWrite: a write is sent again only if the device says that it has not done it.
func TestBusyWrite(t *testing.T) {
	for _, on := range both() {
		for code, want := range map[byte]string{5: "exception 5", 6: ""} {
			synctest.Test(t, func(t *testing.T) {
				u := modbustest.NewUnit().Holding(0, 7)
				writes := 0
				d, err := on.open(t, func(q []byte) []byte {
					if q[1] != 6 {
						return plays(u)(q)
					}
					if writes++; writes == 1 {
						return []byte{q[0], q[1] | 0x80, code}
					}
					return plays(u)(q)
				}, []Register{{Field: "a", Writable: true}}, nil)
				if err != nil {
					t.Fatal(err)
				}
				err = d.(drivers.Writer).Write(t.Context(), drivers.Int("a", 9))
				if want == "" && (err != nil || u.HoldingAt(0) != 9 || writes != 2) {
					t.Errorf("%s: want it written with the second request, got %d after %d, %v", on.name, u.HoldingAt(0), writes, err)
				}
				if want != "" && (err == nil || !strings.Contains(err.Error(), want) || writes != 1) {
					t.Errorf("%s: want %s after one request, got %d, %v", on.name, want, writes, err)
				}
			})
		}
	}
}

// TestReservedUnit: a device with a unit id that the specification reserves.
func TestReservedUnit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := openLine(t, &modbustest.Line{Units: map[byte]*modbustest.Unit{248: modbustest.NewUnit().Input(0, 2301)}}, func(o *RTU) {
			o.UnitID = 248
			o.Registers = []Register{{Field: "voltage", Table: "input", Scale: 0.1}}
		})
		values, err := d.Read(t.Context())
		wantText("[voltage=230.1(float)]")(t, values, err)
	})
	for unit, warns := range map[int]bool{1: false, 247: false, 248: true, 255: true} {
		o := SpecRTU.Options().(*RTU)
		o.UnitID = unit
		if w := o.Warnings(); (len(w) > 0) != warns || warns && !strings.Contains(w[0], fmt.Sprintf("unit_id = %d", unit)) {
			t.Errorf("unit %d: %q", unit, w)
		}
	}
}

// TestAnyUnitHasALineForItself: otherwise an answer of another unit is taken for its own.
func TestAnyUnitHasALineForItself(t *testing.T) {
	o := func(unit int, anyUnit bool) *RTU { return &RTU{UnitID: unit, AnyUnit: anyUnit} }
	for _, test := range []struct {
		a, b *RTU
		fine bool
	}{{o(1, false), o(2, false), true}, {o(1, true), o(1, true), true}, {o(1, true), o(1, false), true}, {o(1, true), o(2, false), false}, {o(2, false), o(1, true), false}} {
		if err := test.a.SharesWith(test.b); (err == nil) != test.fine || err != nil && !strings.Contains(err.Error(), "any_unit") {
			t.Errorf("%+v beside %+v: %v", test.a, test.b, err)
		}
	}
}

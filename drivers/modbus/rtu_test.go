package modbus

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/modbus/modbustest"
)

// What stands in the way of an answer, and what is said of it.
func TestBadLines(t *testing.T) {
	other := modbustest.Frame(9, 3, 2, 0, 1)
	tests := []struct {
		name   string
		garble func(request, answer []byte) []byte
		want   string // "" is a reading
	}{
		{"clean", func(_, a []byte) []byte { return a }, ""},
		{"leading zeros", func(_, a []byte) []byte { return append([]byte{0, 0}, a...) }, ""},
		{"echo", func(q, a []byte) []byte { return append(q[:len(q):len(q)], a...) }, ""},
		{"noise, echo, zero", func(q, a []byte) []byte { return append(append(append([]byte{0xff, 0}, q...), 0), a...) }, ""},
		{"late answer of another unit", func(_, a []byte) []byte { return append(other[:len(other):len(other)], a...) }, ""},
		{"late answer to another function", func(_, a []byte) []byte { return append(modbustest.Frame(1, 4, 2, 0, 9), a...) }, ""},
		{"late answer of another length", func(_, a []byte) []byte { return append(modbustest.Frame(1, 3, 4, 0, 9, 0, 9), a...) }, ""},
		{"something behind", func(_, a []byte) []byte { return append(a[:len(a):len(a)], 0xff, 0xff) }, ""},
		{"silence", func(_, a []byte) []byte { return nil }, "reading holding register 0: no answer within 300ms at 9600 8N1: is the device powered, is this its unit_id, are baud and parity those of the device, and are A and B not swapped?"},
		{"only echo", func(q, _ []byte) []byte { return q }, "no answer within 300ms at 9600 8N1, only the echo of the request"},
		{"only another unit", func(_, _ []byte) []byte { return other }, "no answer within 300ms, but another frame: it is of unit 9, not 1: is that its unit_id?"},
		{"damaged", func(_, a []byte) []byte { a[4] ^= 1; return a }, "the answer was damaged on the line (its checksum is wrong): 01 03 02 00 06"},
		{"broken off", func(_, a []byte) []byte { return a[:6] }, "the answer broke off after 6 of 7 bytes"},
		{"wrong baud rate", func(_, a []byte) []byte { return []byte("\x00\xfe\x80\xf8") }, "4 bytes came but no valid frame; the first are 00 fe 80 f8: baud, parity or stop_bits are probably not the device's (configured: 9600 8N1)"},
		{"a flood", func(_, a []byte) []byte { return append(make([]byte, 3000), a...) }, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := openLine(t, &modbustest.Line{
					Units:  map[byte]*modbustest.Unit{1: modbustest.NewUnit().Holding(0, 7)},
					Garble: func(q, a []byte) ([]byte, time.Duration) { return test.garble(q, a), 0 },
				}, func(o *RTU) { o.Registers = []Register{{Field: "a"}} })
				begin := time.Now()
				values, err := d.Read(t.Context())
				if test.want == "" {
					if err != nil || text(values) != "[a=7(int)]" {
						t.Errorf("want the value, got %s, %v", text(values), err)
					}
					return
				}
				if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "modbus-rtu: unit 1: ") || strings.Contains(err.Error(), "i/o timeout") || !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("want %q, got %v", test.want, err)
				}
				// the timeout, 23 bytes at 9600 baud, and the gap
				if took := time.Since(begin); took > 330*time.Millisecond {
					t.Errorf("the line was taken for %v", took)
				}
			})
		})
	}
}

// A device that is slower than its timeout must not have its answers taken for those to later
// requests.
func TestLateAnswersAreNotMixedUp(t *testing.T) {
	told, readings := 0, 0
	for delay := 305 * time.Millisecond; delay < 1200*time.Millisecond; delay += 7 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			u := modbustest.NewUnit().Holding(0, 10).Holding(20, 30).Holding(40, 50)
			buses := drivertest.OnSerial(drivertest.Device{
				Delay: delay,
				Answers: func(q []byte) string {
					a, _ := (&modbustest.Line{Units: map[byte]*modbustest.Unit{1: u}}).Hears(q)
					return string(a)
				},
			})
			o := SpecRTU.Options().(*RTU)
			o.Registers = []Register{{Field: "a"}, {Field: "b", Address: 20}, {Field: "c", Address: 40}}
			d, err := SpecRTU.Open(t.Context(), buses, "port", o)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 20 { // as the sampler does: a repetition, then back-off
				values, err := d.Read(t.Context())
				switch {
				case err == nil && text(values) != "[a=10(int) b=30(int) c=50(int)]":
					t.Fatalf("device with a delay of %v: answers were mixed up: %s", delay, text(values))
				case err == nil:
					readings++
				case strings.Contains(err.Error(), "the device answers later than its timeout of 300ms: raise it"):
					told++
				}
				pause := 10 * time.Millisecond
				if i%2 == 1 {
					pause = time.Second << (i / 2)
				}
				time.Sleep(pause)
			}
		})
	}
	if told == 0 {
		t.Error("want the operator told to raise the timeout")
	}
	t.Logf("%d readings; told %d times", readings, told)
}

// Whatever a line carries, only the frame that answers is taken, and no more is kept than two
// frames.
func FuzzRTU(f *testing.F) {
	o := SpecRTU.Options().(*RTU)
	o.Registers = []Register{{Field: "a"}}
	s := o.settings()
	q := s.plan(s.entries())[0].request
	f.Add([]byte{}, uint8(1))
	f.Add(modbustest.Frame(1, 3, 2, 0, 7), uint8(1))
	f.Add(modbustest.Frame(1, 0x83, 2), uint8(3))
	f.Add(append(modbustest.Frame(1, 3, 0, 0, 0, 1), modbustest.Frame(1, 3, 2, 0, 7)...), uint8(7))
	f.Add(append(make([]byte, 2000), modbustest.Frame(1, 3, 2, 0, 7)...), uint8(255))
	f.Fuzz(func(t *testing.T, data []byte, chunk uint8) {
		synctest.Test(t, func(t *testing.T) {
			step := int(chunk) + 1
			l := newRTU(s, fuzzPort{&data, step}, o.mode())
			got, err := l.exchange(t.Context(), &q)
			if len(l.got) > 2*maxFrame+512 {
				t.Fatalf("%d bytes are kept", len(l.got))
			}
			if e := Exception(0); err != nil && !errors.As(err, &e) && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("%v", err)
			}
			if err == nil && (len(got) != 2 || !strings.Contains(string(l.got), string(modbustest.Frame(append([]byte{1, 3, 2}, got...)...)))) {
				t.Fatalf("% x was taken from % x", got, l.got)
			}
		})
	})
}

// A fuzzPort says data, step bytes at a time, once something was written.
type fuzzPort struct {
	data *[]byte
	step int
}

func (p fuzzPort) Write(b []byte) (int, error) { return len(b), nil }

func (p fuzzPort) SetReadTimeout(time.Duration) error { return nil }

func (p fuzzPort) Read(b []byte) (int, error) {
	n := copy(b, (*p.data)[:min(p.step, len(*p.data))])
	*p.data = (*p.data)[n:]
	if n == 0 {
		time.Sleep(10 * time.Millisecond)
		return 0, os.ErrDeadlineExceeded
	}
	return n, nil
}

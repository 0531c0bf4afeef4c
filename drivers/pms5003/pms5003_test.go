package pms5003

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
)

// A sensor is a model of a PMS5003: it sends a frame a second while it is awake and in active mode.
type sensor struct {
	asleep, passive bool
	commands        []string
	garble          func(frame []byte) []byte
	relative        int // the length word of another sensor; 0 is that of a PMS5003
}

func (s *sensor) says(n int) string {
	if s.asleep || s.passive {
		return ""
	}
	length := cmp.Or(s.relative, 28)
	f := []byte{0x42, 0x4d, 0, byte(length)}
	// a PMS5003ST has formaldehyde, temperature and humidity before the word of its version
	for _, v := range []uint16{5, 8, 9, 4, 7, 8, 1200, 340, 60, 9, 2, 1, 31, 215, 480, 0, 0x9700}[:length/2-1] {
		f = binary.BigEndian.AppendUint16(f, v)
	}
	total := uint16(0)
	for _, c := range f {
		total += uint16(c)
	}
	f = binary.BigEndian.AppendUint16(f, total)
	if s.garble != nil {
		f = s.garble(f)
	}
	return string(f)
}

func (s *sensor) hears(b []byte) string {
	s.commands = append(s.commands, fmt.Sprintf("% x", b))
	if len(b) == 7 && b[0] == 0x42 && b[1] == 0x4d {
		switch b[2] {
		case 0xe1:
			s.passive = b[4] == 0
		case 0xe4:
			s.asleep = b[4] == 0
		}
	}
	return ""
}

func (s *sensor) buses() *drivertest.Buses {
	return drivertest.OnSerial(drivertest.Device{Every: time.Second, Says: s.says, Answers: s.hears})
}

func TestDriver(t *testing.T) {
	for _, spec := range []drivers.Spec{Spec, SpecPMS7003} {
		for _, sleep := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, sleep %v", spec.Name, sleep), func(t *testing.T) {
				drivertest.Suite{
					Spec:    spec,
					Options: func(o any) { *o.(*Options) = Options{WarmUp: time.Second, Sleep: sleep, Particles: true} },
					New:     func() *drivertest.Buses { return (&sensor{}).buses() },
					Checked: true,
				}.Run(t)
			})
		}
	}
	for _, length := range []int{20, 36} {
		t.Run(fmt.Sprintf("length word %d", length), drivertest.Suite{
			Spec:    Spec,
			Options: func(o any) { *o.(*Options) = Options{WarmUp: time.Second, Particles: true} },
			New:     func() *drivertest.Buses { return (&sensor{relative: length}).buses() },
			Checked: true,
		}.Run)
	}
}

// The PMS3003 has frames of 24 bytes without particles, the PMS5003ST those of a PMS5003 with more
// behind.
func TestRelatives(t *testing.T) {
	const masses = "pm1=4(int) pm2_5=7(int) pm10=8(int) "
	for length, want := range map[int]string{
		20: masses + "0_3=bad(not present) 0_5=bad(not present) 1=bad(not present) 2_5=bad(not present) 5=bad(not present) 10=bad(not present)",
		28: masses + "0_3=1200(int) 0_5=340(int) 1=60(int) 2_5=9(int) 5=2(int) 10=1(int)",
		36: masses + "0_3=1200(int) 0_5=340(int) 1=60(int) 2_5=9(int) 5=2(int) 10=1(int)",
	} {
		t.Run(fmt.Sprintf("length word %d", length), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if got := read(t, open(t, &sensor{relative: length}, Options{Particles: true})); got != want {
					t.Errorf("want %s, got %s", want, got)
				}
			})
		})
	}
}

func open(t *testing.T, s *sensor, o Options) drivers.Driver {
	t.Helper()
	d, err := Spec.Open(t.Context(), s.buses(), "port", &o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func read(t *testing.T, d drivers.Driver) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	values, err := d.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, v := range values {
		words = append(words, strings.TrimPrefix(fmt.Sprintf("%#v", v), "particles_"))
	}
	return strings.Join(words, " ")
}

// The frame of appendix I, with its four groups of numbers.
func TestFrames(t *testing.T) {
	tests := []struct {
		name string
		o    Options
		want string
	}{
		{"atmospheric", Options{}, "pm1=4(int) pm2_5=7(int) pm10=8(int)"},
		{"standard", Options{Standard: true}, "pm1=5(int) pm2_5=8(int) pm10=9(int)"},
		{"particles", Options{Particles: true}, "pm1=4(int) pm2_5=7(int) pm10=8(int) 0_3=1200(int) 0_5=340(int) 1=60(int) 2_5=9(int) 5=2(int) 10=1(int)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if got := read(t, open(t, &sensor{}, test.o)); got != test.want {
					t.Errorf("want %s, got %s", test.want, got)
				}
			})
		})
	}
}

// The commands are those of appendix II, byte by byte.
func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sensor{asleep: true, passive: true}
		d := open(t, s, Options{WarmUp: 30 * time.Second, Sleep: true})
		begin := time.Now()
		if got := read(t, d); got != "pm1=4(int) pm2_5=7(int) pm10=8(int)" || time.Since(begin) < 30*time.Second || !s.asleep {
			t.Errorf("want a warm reading and sleep after it, got %s after %v", got, time.Since(begin))
		}
		want := "42 4d e4 00 01 01 74; 42 4d e1 00 01 01 71; 42 4d e4 00 01 01 74; 42 4d e4 00 00 01 73"
		if got := strings.Join(s.commands, "; "); got != want {
			t.Errorf("want %s, got %s", want, got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := d.Read(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "it needs 30s to warm up") {
			t.Errorf("want too short a timeout told, got %v", err)
		}
	})
}

func TestWarmUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sensor{}
		d := open(t, s, Options{WarmUp: 30 * time.Second})
		const cold = "pm1=bad(warming up) pm2_5=bad(warming up) pm10=bad(warming up)"
		if got := read(t, d); got != cold {
			t.Errorf("want %s, got %s", cold, got)
		}
		time.Sleep(30 * time.Second)
		if got := read(t, d); got != "pm1=4(int) pm2_5=7(int) pm10=8(int)" {
			t.Errorf("got %s", got)
		}
		if err := d.Close(); err != nil || !s.asleep {
			t.Errorf("want it asleep after Close, got %v", err)
		}
	})
}

func TestGarbage(t *testing.T) {
	tests := []struct {
		name   string
		garble func(f []byte) []byte
		want   string // of the error; "" is a reading
	}{
		{"before and after", func(f []byte) []byte { return append(append([]byte("\x42\x4d\x00\xff\x42"), f...), 0x42, 0x4d) }, ""},
		{"a torn frame before", func(f []byte) []byte { return append(f[:20:20], f...) }, ""},
		{"damaged", func(f []byte) []byte { f[12] ^= 4; return f }, "9 times the checksum was wrong"},
		{"wrong baud rate", func(f []byte) []byte { return []byte("\x00\xf8\x80") }, "bytes came but no valid frame; the first are 00 f8 80 00 f8 80 00 f8: the baud rate is probably not the device's (configured: 9600 8N1)"},
		{"frames of an unknown length", func(f []byte) []byte { f[3] = 12; return f[:16] }, "frames of 16 bytes came: the device is none of PMS5003, PMS7003, PMS3003 and PMS5003ST"},
		{"silence", func(f []byte) []byte { return nil }, "nothing came: is the device powered"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := open(t, &sensor{garble: test.garble}, Options{})
				ctx, cancel := context.WithTimeout(t.Context(), 9500*time.Millisecond)
				defer cancel()
				values, err := d.Read(ctx)
				if test.want == "" && (err != nil || values[0].Int() != 4) {
					t.Errorf("want a reading, got %#v, %v", values, err)
				}
				if test.want != "" && (!errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), test.want)) {
					t.Errorf("want %q, got %v", test.want, err)
				}
			})
		})
	}
}

func TestCheck(t *testing.T) {
	for d, ok := range map[time.Duration]bool{0: true, 5 * time.Minute: true, -1: false, time.Hour: false} {
		if err := (&Options{WarmUp: d}).Check(); (err == nil) != ok {
			t.Errorf("warm_up %v: %v", d, err)
		}
	}
}

package mhz19

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
)

// A sensor is a model of an MH-Z19B.
type sensor struct {
	commands []string
	answer   []byte // instead of the good one
}

func (s *sensor) hears(b []byte) string {
	s.commands = append(s.commands, fmt.Sprintf("% x", b))
	switch {
	case len(b) != 9 || b[0] != 0xff || b[1] != 1 || checksum(b) != b[8] || b[2] != 0x86:
		return ""
	case s.answer != nil:
		return string(s.answer)
	}
	return string(example)
}

// The example of the manual: 0x0260 is 608 ppm.
var example = []byte{0xff, 0x86, 0x02, 0x60, 0x47, 0x00, 0x00, 0x00, 0xd1}

func (s *sensor) buses() *drivertest.Buses {
	return drivertest.OnSerial(drivertest.Device{Answers: s.hears, Delay: 20 * time.Millisecond})
}

func TestDriver(t *testing.T) {
	drivertest.Suite{
		Spec: Spec, New: func() *drivertest.Buses { return (&sensor{}).buses() },
		Options: func(o any) { o.(*Options).WarmUp = 0 }, Checked: true,
	}.Run(t)
}

func opened(t *testing.T, s *sensor, o Options) drivers.Driver {
	t.Helper()
	d, err := Spec.Open(t.Context(), s.buses(), "port", &o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAnswers(t *testing.T) {
	tests := []struct {
		name   string
		answer []byte
		want   string // the value, or part of the error
	}{
		{"the manual's example", nil, "co2=608(int)"},
		{"garbage before", append([]byte{0xff, 0x86, 0xff}, example...), "co2=608(int)"},
		{"an answer to another command before", append([]byte{0xff, 0x79, 1, 0, 0, 0, 0, 0, 0x86}, example...), "co2=608(int)"},
		{"beyond the range", []byte{0xff, 0x86, 0x27, 0x11, 0, 0, 0, 0, 0x42}, "co2=bad(range)"},
		{"nothing measured", []byte{0xff, 0x86, 0, 0, 0, 0, 0, 0, 0x7a}, "co2=bad(range)"},
		{"wrong sum", []byte{0xff, 0x86, 0x02, 0x60, 0x47, 0x00, 0x00, 0x00, 0xd2}, "1 times the checksum was wrong"},
		{"torn", example[:6], "6 bytes came but no valid frame; the first are ff 86 02 60 47 00"},
		{"silence", []byte{}, "nothing came: is the device powered"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				values, err := opened(t, &sensor{answer: test.answer}, Options{}).Read(t.Context())
				if err != nil {
					if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), test.want) {
						t.Errorf("want %q, got %v", test.want, err)
					}
					return
				}
				if got := fmt.Sprintf("%#v", values[0]); got != test.want {
					t.Errorf("want %s, got %s", test.want, got)
				}
			})
		})
	}
}

func TestWarmUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := opened(t, &sensor{}, Options{WarmUp: 3 * time.Minute})
		for _, want := range []string{"co2=bad(warming up)", "co2=608(int)"} {
			values, err := d.Read(t.Context())
			if err != nil || fmt.Sprintf("%#v", values[0]) != want {
				t.Errorf("want %s, got %#v, %v", want, values, err)
			}
			time.Sleep(3 * time.Minute)
		}
	})
}

// The commands are those of the manual, byte by byte.
func TestCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sensor{}
		for _, on := range []bool{true, false} {
			if _, err := opened(t, s, Options{SelfCalibration: on}).Read(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		want := "ff 01 79 a0 00 00 00 00 e6; ff 01 86 00 00 00 00 00 79; ff 01 79 00 00 00 00 00 86; ff 01 86 00 00 00 00 00 79"
		if got := strings.Join(s.commands, "; "); got != want {
			t.Errorf("want %s\n got %s", want, got)
		}
	})
}

func TestCheck(t *testing.T) {
	for d, ok := range map[time.Duration]bool{0: true, 10 * time.Minute: true, -1: false, time.Hour: false} {
		if err := (&Options{WarmUp: d}).Check(); (err == nil) != ok {
			t.Errorf("warm_up %v: %v", d, err)
		}
	}
}

package sds011

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
)

// A sensor is a model of an SDS011: it answers commands, and sends a report a second while it
// works.
type sensor struct {
	asleep   bool
	commands []string
	report   []byte // instead of the good one
}

// The example of the control protocol: PM2.5 is 0x04d4 (123.6), PM10 0x0a3a (261.8), of the device
// a160.
var example = []byte{0xaa, 0xc0, 0xd4, 0x04, 0x3a, 0x0a, 0xa1, 0x60, 0x1d, 0xab}

func (s *sensor) says(int) string {
	switch {
	case s.asleep:
		return ""
	case s.report != nil:
		return string(s.report)
	}
	return string(example)
}

func (s *sensor) hears(b []byte) string {
	s.commands = append(s.commands, fmt.Sprintf("% x", b))
	if len(b) != 19 || b[0] != 0xaa || b[1] != 0xb4 || sum(b[2:17]) != b[17] || b[18] != 0xab {
		return ""
	}
	if b[2] == 6 {
		s.asleep = b[4] == 0
	}
	answer := []byte{0xaa, 0xc5, b[2], b[3], b[4], 0, 0xa1, 0x60, 0, 0xab}
	answer[8] = sum(answer[2:8])
	return string(answer)
}

func (s *sensor) buses() *drivertest.Buses {
	return drivertest.OnSerial(drivertest.Device{Every: time.Second, Says: s.says, Answers: s.hears, Delay: 10 * time.Millisecond})
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

func TestReports(t *testing.T) {
	tests := []struct {
		name   string
		report []byte
		want   string // values, or part of the error
	}{
		{"the protocol's example", nil, "pm2_5=123.6(float) pm10=261.8(float)"},
		{"garbage around", append(append([]byte{0xaa, 0xc0, 0xaa}, example...), 0xc0, 0xaa), "pm2_5=123.6(float) pm10=261.8(float)"},
		{"beyond the range", []byte{0xaa, 0xc0, 0x10, 0x27, 0x0f, 0x27, 0, 0, 0x6d, 0xab}, "pm2_5=bad(range) pm10=999.9(float)"},
		{"wrong sum", []byte{0xaa, 0xc0, 0x10, 0x27, 0x0f, 0x27, 0, 0, 0x6e, 0xab}, "9 times the checksum was wrong"},
		{"wrong tail", []byte{0xaa, 0xc0, 0x10, 0x27, 0x0f, 0x27, 0, 0, 0x6d, 0xac}, "9 times the checksum was wrong"},
		{"wrong baud rate", []byte{0, 0xfe}, "bytes came but no valid frame"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := opened(t, &sensor{report: test.report}, Options{})
				ctx, cancel := context.WithTimeout(t.Context(), 9500*time.Millisecond)
				defer cancel()
				values, err := d.Read(ctx)
				if err != nil {
					if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), test.want) {
						t.Errorf("want %q, got %v", test.want, err)
					}
					return
				}
				if got := fmt.Sprintf("%#v %#v", values[0], values[1]); got != test.want {
					t.Errorf("want %s, got %s", test.want, got)
				}
			})
		})
	}
}

func TestWarmUpAndSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sensor{asleep: true}
		d := opened(t, s, Options{WarmUp: 30 * time.Second})
		for _, warm := range []bool{false, true} {
			values, err := d.Read(t.Context())
			if err != nil || (values[0].Kind() == drivers.KindFloat) != warm || !warm && values[1].Reason() != "warming up" {
				t.Errorf("warm %v: got %#v, %v", warm, values, err)
			}
			time.Sleep(30 * time.Second)
		}
		if err := d.Close(); err != nil || !s.asleep {
			t.Errorf("want it asleep after Close, got %v", err)
		}
		opened(t, s, Options{Period: 5, WarmUp: 30 * time.Second})
		// The commands of the control protocol: work, report by itself, continuous; sleep; and
		// every five minutes.
		want := []string{
			"aa b4 06 01 01 00 00 00 00 00 00 00 00 00 00 ff ff 06 ab",
			"aa b4 02 01 00 00 00 00 00 00 00 00 00 00 00 ff ff 01 ab",
			"aa b4 08 01 00 00 00 00 00 00 00 00 00 00 00 ff ff 07 ab",
			"aa b4 06 01 00 00 00 00 00 00 00 00 00 00 00 ff ff 05 ab",
			"aa b4 06 01 01 00 00 00 00 00 00 00 00 00 00 ff ff 06 ab",
			"aa b4 02 01 00 00 00 00 00 00 00 00 00 00 00 ff ff 01 ab",
			"aa b4 08 01 05 00 00 00 00 00 00 00 00 00 00 ff ff 0c ab",
		}
		if got := strings.Join(s.commands, "\n"); got != strings.Join(want, "\n") {
			t.Errorf("got the commands\n%s", got)
		}
	})
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		o    Options
		want string
	}{
		{Options{Period: 31}, "option period: 31 minutes"},
		{Options{WarmUp: -1}, "option warm_up"},
		{Options{Period: 30, WarmUp: time.Minute}, ""},
	} {
		err := test.o.Check()
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("want %q, got %v", test.want, err)
		}
	}
}

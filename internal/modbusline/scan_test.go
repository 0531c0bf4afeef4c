package modbusline

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
	"github.com/fieldgate/fieldgate/drivers/modbus"
	"github.com/fieldgate/fieldgate/drivers/modbus/modbustest"
)

// A line is a serial line whose devices hear one mode only.
type line struct {
	*drivertest.Buses
	heard string // baud rate and parity
	mode  string
}

// onLine returns a line with units.
func onLine(heard string, units map[byte]*modbustest.Unit) *line {
	l := &line{heard: heard}
	m := &modbustest.Line{Units: units}
	l.Buses = drivertest.OnSerial(drivertest.Device{Answers: func(q []byte) string {
		if l.mode != l.heard {
			return ""
		}
		a, _ := m.Hears(q)
		return string(a)
	}})
	return l
}

func (l *line) Port(ctx context.Context, name string, mode drivers.SerialMode) (drivers.Port, error) {
	l.mode = fmt.Sprint(mode.Baud, " ", mode.Parity)
	return l.Buses.Port(ctx, name, mode)
}

func units(n int) (list []int) {
	for u := 1; u <= n; u++ {
		list = append(list, u)
	}
	return list
}

func newScan(t *testing.T) (*Scan, Device) {
	t.Helper()
	d, err := NewDevice("/dev/ttyUSB0", false)
	if err != nil {
		t.Fatal(err)
	}
	return &Scan{Bauds: []int{9600, 19200}, Parities: []string{"none", "even"}, Units: units(247), Register: modbus.Register{Field: "value"}, Progress: func(Step) {}}, d
}

// TestScanStaysWithTheMode: the first units are asked in all modes, the others in that which has
// answered; All asks on.
func TestScanStaysWithTheMode(t *testing.T) {
	for _, all := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s, d := newScan(t)
			s.All = all
			asked := map[string]int{}
			var last Step
			s.Progress = func(step Step) { asked[step.Mode]++; last = step }
			most, _ := s.Requests(d)
			found, err := s.Run(t.Context(), onLine("19200 none", map[byte]*modbustest.Unit{2: modbustest.NewUnit().Holding(0, 5), 200: modbustest.NewUnit()}), d)
			want := "[{2 19200 none holding register 0 is 5} {200 19200 none exception 2 (illegal address)}]"
			if err != nil || fmt.Sprint(found) != want {
				t.Errorf("want %s, got %v, %v", want, found, err)
			}
			modes := "map[19200 baud, parity none:247 9600 baud, parity even:16 9600 baud, parity none:16]"
			if all {
				modes = "map[19200 baud, parity even:247 19200 baud, parity none:247 9600 baud, parity even:247 9600 baud, parity none:247]"
			}
			if fmt.Sprint(asked) != modes || last.Done+1 != last.Of || last.Of > most {
				t.Errorf("want %s, got %v; %+v of %d", modes, asked, last, most)
			}
		})
	}
}

// TestScanIsBounded: nobody answers, and it takes as long as it says.
func TestScanIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := newScan(t)
		_, length := s.Requests(d)
		begin := time.Now()
		found, err := s.Run(t.Context(), onLine("", nil), d)
		if took := time.Since(begin); err != nil || len(found) > 0 || took > length*101/100 || took < length*9/10 {
			t.Errorf("%v instead of %v: %v, %v", took, length, found, err)
		}
	})
}

// TestScanStops: with the end of its context it returns what it has found.
func TestScanStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := newScan(t)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		begin := time.Now()
		found, err := s.Run(ctx, onLine("9600 none", map[byte]*modbustest.Unit{2: modbustest.NewUnit()}), d)
		if took := time.Since(begin); !errors.Is(err, context.DeadlineExceeded) || len(found) != 1 || took > 5100*time.Millisecond {
			t.Errorf("after %v: %v, %v", took, found, err)
		}
	})
}

func TestScanMistakes(t *testing.T) {
	for want, change := range map[string]func(*Scan){
		"option baud: 7": func(s *Scan) { s.Bauds = append(s.Bauds, 7) },
		"option parity":  func(s *Scan) { s.Parities = []string{"mark"} },
		"table":          func(s *Scan) { s.Register.Table = "inputs" },
	} {
		s, d := newScan(t)
		change(s)
		var m *Mistake
		if _, err := s.Run(t.Context(), onLine("", nil), d); !errors.As(err, &m) || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

package alarm

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/contract"
)

// kept is a store of one value.
type kept struct{ value []byte }

func (k *kept) Get(context.Context, string, string) ([]byte, error) { return k.value, nil }
func (k *kept) Put(_ context.Context, _, _ string, value []byte) error {
	k.value = value
	return nil
}

func ptr(v float64) *float64 { return &v }

// sensors is one sensor with a field t in degrees Celsius.
func sensors(f config.FieldFilter) []config.Sensor {
	spec := drivers.Spec{Name: "x", Fields: func(any) []drivers.Field { return []drivers.Field{{Name: "t", Unit: "Cel", Kind: drivers.KindFloat}} }}
	return []config.Sensor{{Name: "freezer", Spec: spec, Fields: map[string]config.FieldFilter{"t": f}}}
}

func start(f config.FieldFilter, store *kept, events *[]string) *Alarms {
	return New(Config{Sensors: sensors(f), Store: store, Log: slog.New(slog.DiscardHandler), Event: func(e contract.AlarmEvent) {
		*events = append(*events, fmt.Sprintf("%s %v", e.State, e.Value))
	}})
}

// TestLimits: readings of one field, a minute apart.
func TestLimits(t *testing.T) {
	const bad = -1000
	for _, test := range []struct {
		name   string
		config config.FieldFilter
		in     []float64
		want   string
	}{
		{"above", config.FieldFilter{AlarmAbove: ptr(5)}, []float64{5, 6, 7, 5, 6}, "raised 6, cleared 5, raised 6"},
		{"below", config.FieldFilter{AlarmBelow: ptr(5)}, []float64{5, 4, 5}, "raised 4, cleared 5"},
		{"for", config.FieldFilter{AlarmAbove: ptr(5), AlarmFor: 2 * time.Minute}, []float64{6, 6, 5, 6, 7, 8, 9, 5}, "raised 8, cleared 5"},
		{"hysteresis", config.FieldFilter{AlarmAbove: ptr(5), AlarmHysteresis: 2}, []float64{6, 4, 3.5, 6, 3, 6}, "raised 6, cleared 3, raised 6"},
		{"hysteresis below", config.FieldFilter{AlarmBelow: ptr(5), AlarmHysteresis: 2}, []float64{4, 6, 7}, "raised 4, cleared 7"},
		{"from one side to the other", config.FieldFilter{AlarmAbove: ptr(5), AlarmBelow: ptr(0)}, []float64{6, -1, 2}, "raised 6, cleared -1, raised -1, cleared 2"},
		{"a bad value says nothing", config.FieldFilter{AlarmAbove: ptr(5), AlarmFor: 2 * time.Minute}, []float64{6, bad, 6, bad, 5}, "raised 6, cleared 5"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var events []string
			a := start(test.config, &kept{}, &events)
			for i, x := range test.in {
				v := drivers.Float("t", x)
				if x == bad {
					v = drivers.Bad("t", "crc")
				}
				a.Reading("freezer", time.Duration(i)*time.Minute, []drivers.Value{drivers.Int("other", 99), v})
				a.Reading("another", time.Duration(i)*time.Minute, []drivers.Value{drivers.Float("t", 99)})
			}
			if got := strings.Join(events, ", "); got != test.want {
				t.Errorf("want %s\n got %s", test.want, got)
			}
		})
	}
}

// TestRestart: what is raised is raised once and cleared once, however often the program starts;
// also if the limit is gone.
func TestRestart(t *testing.T) {
	f := config.FieldFilter{AlarmAbove: ptr(-15), AlarmFor: time.Minute}
	store, events := &kept{}, []string{}
	a := start(f, store, &events)
	for i := range 3 {
		a.Reading("freezer", time.Duration(i)*time.Minute, []drivers.Value{drivers.Float("t", -12.1)})
	}
	if got := a.Raised(); len(got) != 1 || got[0] != "t of sensor freezer is -12.1 Cel, above -15 for 1m (alarm_above)" {
		t.Errorf("%q", got)
	}
	a = start(f, store, &events)
	if got := a.Raised(); len(got) != 1 || got[0] != "t of sensor freezer was above its limit before the start" {
		t.Errorf("%q", got)
	}
	a.Reading("freezer", 0, []drivers.Value{drivers.Float("t", -12)})
	a = start(f, store, &events)
	a.Reading("freezer", 0, []drivers.Value{drivers.Float("t", -16)})
	if got := a.Raised(); len(got) != 0 {
		t.Errorf("%q", got)
	}
	a.Reading("freezer", 0, []drivers.Value{drivers.Float("t", -12)})
	a.Reading("freezer", time.Minute, []drivers.Value{drivers.Float("t", -12)})
	for range 2 {
		start(config.FieldFilter{}, store, &events)
	}
	if got := strings.Join(events, ", "); got != "raised -12.1, cleared -16, raised -12, cleared <nil>" {
		t.Error(got)
	}
}

// TestReadingsWithinDoNotAllocate, which is most of them.
func TestReadingsWithinDoNotAllocate(t *testing.T) {
	var events []string
	a := start(config.FieldFilter{AlarmAbove: ptr(5)}, &kept{}, &events)
	values := []drivers.Value{drivers.Float("t", 4)}
	if n := testing.AllocsPerRun(100, func() { a.Reading("freezer", 0, values) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

package doctor

import (
	"context"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/contract"
)

// A meter is a device that answers with implausible numbers.
type meter struct{}

func (meter) Read(context.Context) ([]drivers.Value, error) {
	return []drivers.Value{drivers.Float("v", 4.17e-08), drivers.Bad("x", "exception 2")}, nil
}

func (meter) Close() error { return nil }

// What came and what was expected of fields without a value is reported, by the running gateway's
// word and by an own measurement.
func TestFieldsWithoutAValue(t *testing.T) {
	low, high := 100.0, 400.0
	s := &config.Sensor{
		Name: "m1", Enabled: true, Every: time.Second, Fields: map[string]config.FieldFilter{"v": {Min: &low, Max: &high}},
		Spec: drivers.Spec{
			Fields: func(any) []drivers.Field {
				return []drivers.Field{{Name: "v", Kind: drivers.KindFloat, Doc: "holding register 0, float32"}, {Name: "x", Kind: drivers.KindInt}}
			},
			Open: func(context.Context, drivers.Buses, string, any) (drivers.Driver, error) { return meter{}, nil },
		},
	}
	const v = "v (holding register 0, float32): 4.17e-08 is outside 100 to 400 (field.v.min, max): scale, type or word_order wrong?"
	why := map[string]string{"v": "4.17e-08 is outside 100 to 400 (field.v.min, max): scale, type or word_order wrong?", "x": "exception 2"}
	tests := []struct {
		name    string
		running *contract.SensorHealth // nil: it does not run
		level   Level
		want    string
	}{
		{"no gateway", nil, Warn, "2 fields in 0s; without a value: " + v + "; x: exception 2"},
		{"none good", &contract.SensorHealth{State: "bad", Error: "no field has a value: …", Bad: why}, Fail, "no field has a value; " + v + "; x: exception 2"},
		{"one good", &contract.SensorHealth{State: "ok", Reads: 7, Bad: map[string]string{"x": "exception 2"}}, Warn, "ok, 7 readings, 0 failures; without a value: x: exception 2"},
		{"flapping", &contract.SensorHealth{State: "ok", Reads: 7, Flaps: 99}, Warn, "it is flapping, 99 changes within a minute; ok, 7 readings, 0 failures"},
		{"flapping and failing", &contract.SensorHealth{State: "failing", Error: "no answer", Flaps: 99}, Fail, "it is flapping, 99 changes within a minute; failing: no answer"},
		{"good", &contract.SensorHealth{State: "ok", Reads: 7}, OK, "ok, 7 readings, 0 failures"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var p Config
			if test.running != nil {
				p.Running = &contract.LocalStatus{Health: contract.Health{Sensors: map[string]contract.SensorHealth{"m1": *test.running}}}
			}
			if c := p.sensor(t.Context(), s); c.Level != test.level || c.Detail != test.want {
				t.Errorf("want %s %s\n got %s %s", test.level, test.want, c.Level, c.Detail)
			}
		})
	}
}

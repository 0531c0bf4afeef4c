package sizing

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/sim"
	"github.com/fieldgate/fieldgate/internal/payload/formats"
)

func parse(t *testing.T, more string, sensors int, every string) *config.Config {
	t.Helper()
	text := "[gateway]\nid = \"gw\"\n[mqtt]\nurls = [\"mqtts://b\"]\n" + more
	for i := range sensors {
		text += fmt.Sprintf("[[sensor]]\nname = \"s%d\"\ndriver = \"sim\"\nevery = %q\n", i, every)
	}
	c, err := config.Parse([]config.Source{{Name: "f.toml", Text: text}}, config.Catalogue{Drivers: []drivers.Spec{sim.Spec}, Formats: formats.Words()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestWireOfWhatIsConfigured: company, compression and P/last are what they are.
func TestWireOfWhatIsConfigured(t *testing.T) {
	measure := func(more string) Wire {
		w, err := MeasureWire(parse(t, more, 10, "1m"))
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	plain := measure("")
	metered := measure("line = \"metered\"\n")
	alone := measure("[telemetry]\nlast = false\n")
	flat := measure("[telemetry]\nlinger = \"10m\"\nformat = \"json-flat\"\n")
	asleep := measure("online = \"every 15m\"\n")
	if plain.PerMessage != 1 || metered.PerMessage != 16 || flat.PerMessage != 1 || asleep.PerMessage != 15 {
		t.Errorf("readings a message: %v, %v, %v, %v", plain.PerMessage, metered.PerMessage, flat.PerMessage, asleep.PerMessage)
	}
	if metered.BytesPerReading > plain.BytesPerReading/5 || metered.Last != 0 {
		t.Errorf("metered %+v, plain %+v", metered, plain)
	}
	if d := plain.BytesPerDay - alone.BytesPerDay; d < 0.9*plain.Last || d > 1.1*plain.Last {
		t.Errorf("P/last is %v a day, without it %v less", plain.Last, d)
	}
	if per := plain.BytesPerDay / (10 * 24 * 60); per < 0.99*plain.BytesPerReading || per > 1.01*plain.BytesPerReading {
		t.Errorf("%+v", plain)
	}
	if w := measure("[telemetry]\nlast = false\n"); w.BytesPerReading < 150 || w.BytesPerReading > 400 {
		t.Errorf("%+v", w)
	}
}

// TestWaitingCost is said where there is one, with a max_loss that has none.
func TestWaitingCost(t *testing.T) {
	for _, tt := range []struct{ more, want string }{
		{"", ""},
		{"[telemetry]\nlinger = \"400ms\"\n", ""},
		{"line = \"metered\"\n", "buffer.max_loss = \"31m\" avoids that"},
		{"line = \"metered\"\n[buffer]\nmax_loss = \"31m\"\n", ""},
		{"[telemetry]\nlinger = \"2h\"\n", "less than 30m with buffer.max_loss = \"1h\" avoids that"},
		{"line = \"metered\"\n[telemetry]\nformat = \"json-flat\"\n", "linger has no effect: with format = \"json-flat\""},
		{"online = \"every 15m\"\n", "15m for the next connection (mqtt.online), longer than half"},
		{"online = \"every 15m\"\n[buffer]\nmax_loss = \"31m\"\n[telemetry]\nlinger = \"50m\"\n", ""},
	} {
		got, err := WaitingCost(t.Context(), parse(t, tt.more, 10, "1m"))
		if err != nil || !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
			t.Errorf("%q: %q, %v; want %q", tt.more, got, err, tt.want)
		}
	}
}

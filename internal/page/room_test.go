package page

import (
	"fmt"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/host"
	"github.com/fieldgate/fieldgate/drivers/sim"
	"github.com/fieldgate/fieldgate/internal/payload/formats"
	"github.com/fieldgate/fieldgate/internal/sizing"
)

// TestRoomIsALowerBound: an outage that the page promises to fit does fit, as measured with the
// store, and the promise is no joke.
func TestRoomIsALowerBound(t *testing.T) {
	if testing.Short() {
		t.Skip("it fills stores")
	}
	for _, every := range []string{"50ms", "1s", "10s"} {
		for _, drivers := range [][]string{{"sim"}, {"host"}, {"sim", "sim", "sim", "sim", "host"}} {
			for _, maxLoss := range []string{"0s", "1s", "30s"} {
				r, s, rate, c := measure(t, every, maxLoss, drivers)
				room := roomFor(float64(c.Buffer.MaxBytes), 1<<20, rate, s, c.Buffer.MaxLoss)
				if ratio := float64(r.FullAfter) / float64(room); ratio < 1 || ratio > 6 {
					t.Errorf("every %s, max_loss %s, %q: the page says %v, the store is full after %v (%.0f bytes a reading)", every, maxLoss, drivers, room, r.FullAfter, r.BytesPerReading)
				}
			}
		}
	}
}

func measure(t *testing.T, every, maxLoss string, names []string) (r sizing.Report, mean shape, rate float64, c *config.Config) {
	t.Helper()
	text := fmt.Sprintf("[mqtt]\nurls = [\"mqtt://b\"]\n[buffer]\nmax_loss = %q\n", maxLoss)
	for i, name := range names {
		text += fmt.Sprintf("[[sensor]]\nname = \"s%d\"\ndriver = %q\nevery = %q\n", i, name, every)
	}
	c, err := config.Parse([]config.Source{{Name: "test.toml", Text: text}}, config.Catalogue{Drivers: []drivers.Spec{sim.Spec, host.Spec}, Formats: formats.Words()})
	if err != nil {
		t.Fatal(err)
	}
	e, err := sizing.Measure(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for i := range c.Sensors {
		s := &c.Sensors[i]
		rate += 1 / s.Every.Seconds()
		for _, f := range s.Spec.Fields(s.Options) {
			mean.fields += 1 / float64(len(c.Sensors))
			mean.names += float64(len(f.Name)) / float64(len(c.Sensors))
		}
	}
	return e.Report(24 * time.Hour), mean, rate, c
}

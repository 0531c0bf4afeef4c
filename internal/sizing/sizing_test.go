package sizing_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/sim"
	"github.com/fieldgate/fieldgate/internal/payload/formats"
	"github.com/fieldgate/fieldgate/internal/sizing"
)

func configuration(t *testing.T, every, maxLoss string) *config.Config {
	t.Helper()
	text := fmt.Sprintf("[mqtt]\nurls = [\"mqtt://b\"]\n[buffer]\nmax_loss = %q\nmax_bytes = \"64MiB\"\n", maxLoss)
	for _, name := range []string{"a", "b"} {
		text += fmt.Sprintf("[[sensor]]\nname = %q\ndriver = \"sim\"\nevery = %q\n", name, every)
	}
	text += "[[sensor]]\nname = \"off\"\ndriver = \"sim\"\nevery = \"1ms\"\nenabled = false\n"
	c, err := config.Parse([]config.Source{{Name: "test.toml", Text: text}}, config.Catalogue{Drivers: []drivers.Spec{sim.Spec}, Formats: formats.Words()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestMeasure: few readings in a commit cost more room and far more writing than many, and what
// fits is derived from that.
func TestMeasure(t *testing.T) {
	lone, err := sizing.Measure(t.Context(), configuration(t, "10s", "1s"))
	if err != nil {
		t.Fatal(err)
	}
	many, err := sizing.Measure(t.Context(), configuration(t, "10ms", "1s"))
	if err != nil {
		t.Fatal(err)
	}
	a, b := lone.Report(time.Hour), many.Report(time.Hour)
	if a.Rate != 0.2 || a.PerCommit != 1 || a.Readings != 720 || b.Rate != 200 || b.PerCommit != 100 || a.Sensors != 2 {
		t.Errorf("%+v\n%+v", a, b)
	}
	if a.BytesPerReading < 40 || a.BytesPerReading > 300 || b.BytesPerReading < 4 || b.BytesPerReading > 40 {
		t.Errorf("%v bytes a reading alone, %v with 100 in a commit", a.BytesPerReading, b.BytesPerReading)
	}
	if perReading := a.Written / a.Readings; perReading < 4096 || perReading > 10_000 || b.Written/b.Readings > 200 {
		t.Errorf("%v bytes written for a reading alone, %v with 100 in a commit", perReading, b.Written/b.Readings)
	}
	if !a.Fits || a.FullAfter < time.Hour {
		t.Errorf("720 readings do not fit into 64 MiB: %+v", a)
	}
	if long := many.Report(365 * 24 * time.Hour); long.Fits || long.FullAfter != b.FullAfter || long.Needs < 1e9 {
		t.Errorf("six thousand million readings fit into 64 MiB: %+v", long)
	}
	strict, err := sizing.Measure(t.Context(), configuration(t, "10ms", "0s"))
	if err != nil || strict.Report(time.Hour).PerCommit != 1 {
		t.Errorf("max_loss 0: %+v, %v", strict, err)
	}
	none := configuration(t, "10s", "1s")
	for i := range none.Sensors {
		none.Sensors[i].Enabled = false
	}
	if _, err := sizing.Measure(t.Context(), none); err == nil || !strings.Contains(err.Error(), "no sensor is enabled") {
		t.Errorf("no sensor: %v", err)
	}
}

// TestMeasureManySensors: however long max_loss is, a commit has no more readings than the store
// keeps in RAM, and the sample stays small.
func TestMeasureManySensors(t *testing.T) {
	c := configuration(t, "10ms", "1h")
	first := c.Sensors[0]
	c.Sensors = nil
	for i := range 1000 {
		first.Name = fmt.Sprintf("s%d", i)
		c.Sensors = append(c.Sensors, first)
	}
	// a fraction of a second is enough
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	e, err := sizing.Measure(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	r := e.Report(time.Hour)
	if r.PerCommit < 200 || r.PerCommit > 1000 || r.Readings != 360_000_000 {
		t.Errorf("%+v", r)
	}
	if r.BytesPerReading < 4 || r.BytesPerReading > 40 || r.Fixed > 8<<20 || r.Written/r.Readings > 200 {
		t.Errorf("%+v", r)
	}
}

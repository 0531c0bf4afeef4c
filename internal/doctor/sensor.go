package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/sampling"
)

// patience is how long a sensor may take where its configuration does not say.
const patience = 10 * time.Second

// sensor tells how one sensor does. What drivers and buses say of a failure has the remedy in it.
func (p *Patient) sensor(ctx context.Context, s *config.Sensor) Check {
	c := Check{Subject: "sensor " + s.Name, Level: OK}
	switch {
	case p.Running != nil:
		p.asTheGatewaySays(s, &c)
	case !s.Enabled:
		c.Detail = "it is disabled"
	case slices.ContainsFunc(s.Spec.Fields(s.Options), func(f drivers.Field) bool { return f.Writable }):
		c.Detail = "it was not tried: it can be written to, and to open it might switch something; fieldgate read " + s.Name + " does"
	default:
		measure(ctx, s, p.Buses, &c)
	}
	return c
}

func (p *Patient) asTheGatewaySays(s *config.Sensor, c *Check) {
	h, ok := p.Running.Health.Sensors[s.Name]
	switch state := sampling.Condition(h.State); {
	case !ok:
		c.Level, c.Detail, c.Remedy = Warn, "the running gateway has no such sensor", "fieldgate reload"
	case state == sampling.Failing, state == sampling.Missing, state == sampling.Stale:
		c.Level, c.Detail = Fail, fmt.Sprintf("%s: %s", state, h.Error)
	case h.Error != "":
		c.Level, c.Detail = Warn, fmt.Sprintf("%s: %s", state, h.Error)
	default:
		c.Detail = fmt.Sprintf("%s, %d readings, %d failures", state, h.Reads, h.Failures)
	}
}

// measure opens a sensor and measures once.
func measure(ctx context.Context, s *config.Sensor, buses drivers.Buses, c *Check) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(s.Timeout, patience))
	defer cancel()
	fail := func(err error) {
		c.Level, c.Detail = Fail, err.Error()
		if errors.Is(err, context.DeadlineExceeded) {
			c.Remedy = fmt.Sprintf("check that the device is on, its wires and its address; a device that needs longer than %v needs a timeout in its configuration", cmp.Or(s.Timeout, patience))
		}
	}
	driver, err := s.Spec.Open(ctx, buses, s.Bus, s.Options)
	if err != nil {
		fail(err)
		return
	}
	defer driver.Close()
	begin := time.Now()
	values, err := driver.Read(ctx)
	if err != nil {
		fail(err)
		return
	}
	var bad []string
	for _, v := range values {
		if v.Kind() == drivers.KindBad {
			bad = append(bad, fmt.Sprintf("%s (%s)", v.Field, v.Reason()))
		}
	}
	c.Detail = fmt.Sprintf("%d fields in %v", len(values), time.Since(begin).Round(time.Millisecond))
	if bad != nil {
		c.Level, c.Detail = Warn, c.Detail+"; without a value: "+strings.Join(bad, ", ")
	}
}

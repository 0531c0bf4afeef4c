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
	"github.com/fieldgate/fieldgate/internal/filter"
	"github.com/fieldgate/fieldgate/internal/sampling"
)

// adviceTimeout is how long it may take to find out which device answers.
const adviceTimeout = 30 * time.Second

// sensorTimeout is how long a sensor may take if its configuration does not say.
const sensorTimeout = 10 * time.Second

// sensor reports the state of one sensor. What drivers and buses say of a failure has the remedy in
// it.
func (p *Config) sensor(ctx context.Context, s *config.Sensor) Check {
	c := Check{Subject: "sensor " + s.Name, Level: OK}
	switch {
	case p.Running != nil:
		p.asTheGatewaySays(s, &c)
	case !s.Enabled:
		c.Detail = "it is disabled"
	case slices.ContainsFunc(s.Spec.Fields(s.Options), func(f drivers.Field) bool { return f.Writable }):
		c.Detail = "it was not tried: it can be written to, and opening it might switch something; to try it: fieldgate read " + s.Name
	default:
		measure(ctx, s, p.Buses, &c)
	}
	return c
}

func (p *Config) asTheGatewaySays(s *config.Sensor, c *Check) {
	h, ok := p.Running.Health.Sensors[s.Name]
	switch state := sampling.Condition(h.State); {
	case !ok:
		c.Level, c.Detail, c.Remedy = Warn, "the running gateway has no such sensor", "fieldgate reload"
	case state == sampling.Failing, state == sampling.Missing, state == sampling.Stale:
		c.Level, c.Detail = Fail, fmt.Sprintf("%s: %s", state, h.Error)
	case state == sampling.Bad:
		c.Level, c.Detail = Fail, fmt.Sprintf("no field has a value; %s", missing(s, h.Bad))
	case h.Error != "":
		c.Level, c.Detail = Warn, fmt.Sprintf("%s: %s", state, h.Error)
	default:
		c.Detail = fmt.Sprintf("%s, %d readings, %d failures", state, h.Reads, h.Failures)
		if len(h.Bad) > 0 {
			c.Level, c.Detail = Warn, c.Detail+"; without a value: "+missing(s, h.Bad)
		}
	}
	if h.Flaps > 0 {
		c.Detail = fmt.Sprintf("it is flapping, %d changes within a minute; ", h.Flaps) + c.Detail
		if c.Level == OK {
			c.Level = Warn
		}
	}
}

// missing lists fields that have no value with where they are in the device, if the driver says so,
// and why they have none.
func missing(s *config.Sensor, why map[string]string) string {
	var list []string
	fields, _ := filter.Fields(s)
	for _, f := range fields {
		switch reason, bad := why[f.Name]; {
		case !bad:
		case f.Describe() != "":
			list = append(list, fmt.Sprintf("%s (%s): %s", f.Name, f.Describe(), reason))
		default:
			list = append(list, f.Name+": "+reason)
		}
	}
	return strings.Join(list, "; ")
}

// An advisor is options that can find out which settings the device needs that answers.
type advisor interface {
	Advise(ctx context.Context, buses drivers.Buses, bus string) (string, error)
}

// adviceOf returns "" if there is none.
func adviceOf(ctx context.Context, a advisor, s *config.Sensor, buses drivers.Buses) string {
	ctx, cancel := context.WithTimeout(ctx, adviceTimeout)
	defer cancel()
	advice, err := a.Advise(ctx, buses, s.Bus)
	if err != nil { // the reading's own error says more
		return ""
	}
	return advice
}

// measure opens a sensor and measures once.
func measure(ctx context.Context, s *config.Sensor, buses drivers.Buses, c *Check) {
	limited, cancel := context.WithTimeout(ctx, cmp.Or(s.Timeout, sensorTimeout))
	defer cancel()
	fail := func(err error) {
		c.Level, c.Detail = Fail, err.Error()
		if errors.Is(err, context.DeadlineExceeded) {
			c.Remedy = fmt.Sprintf("check that the device is on, and check its wires and its address; a device that needs longer than %v needs a timeout in its configuration", cmp.Or(s.Timeout, sensorTimeout))
		}
	}
	driver, err := s.Spec.Open(limited, buses, s.Bus, s.Options)
	if err != nil {
		fail(err)
		return
	}
	defer driver.Close()
	begin := time.Now()
	values, err := driver.Read(limited)
	if err != nil {
		fail(err)
		if a, ok := s.Options.(advisor); ok && c.Remedy == "" {
			c.Remedy = adviceOf(ctx, a, s, buses)
		}
		return
	}
	chain := filter.New(s.Fields, s.Computed)
	values = chain.Convert(values)
	fields := "fields"
	if len(values) == 1 {
		fields = "field"
	}
	c.Detail = fmt.Sprintf("%d %s in %v", len(values), fields, time.Since(begin).Round(time.Millisecond))
	if why := chain.Explain(values); why != nil {
		c.Level, c.Detail = Warn, c.Detail+"; without a value: "+missing(s, why)
	}
}

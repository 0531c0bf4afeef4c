package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/payload/formats"
)

// clock says where the time comes from and how exact it is.
func (p *Config) clock(ctx context.Context) Check {
	from := p.Config.Gateway.TimeFrom
	switch {
	case p.Running != nil && p.Running.Health.ClockSync:
		return Check{"clock", OK, "the gateway has the time: " + p.Running.Clock, ""}
	case p.Synchronised:
		return Check{"clock", OK, "synchronised" + within(p.ClockWithin), ""}
	case p.ClockBasis != "":
		return Check{"clock", OK, "not synchronised according to the kernel; taken as right: " + p.ClockBasis, ""}
	case strings.Contains(from, "://"):
		return p.server(ctx, from)
	case from != "":
		return Check{"clock", OK, fmt.Sprintf("not synchronised; the gateway takes the time of sensor %s as soon as that has a fix (gateway.time_from)", from), ""}
	}
	return Check{"clock", Warn, "not synchronised: " + p.waits(),
		"timedatectl status; sudo systemctl enable --now systemd-timesyncd; NTP needs UDP port 123 open: if that is blocked, set gateway.time_from to an https:// URL or to a GNSS sensor"}
}

// server asks the server that gateway.time_from names.
func (p *Config) server(ctx context.Context, url string) Check {
	now, uncertainty, err := p.AskTime(ctx, url)
	if err != nil {
		return Check{"clock", Warn, fmt.Sprintf("not synchronised, and gateway.time_from does not help: %v", err),
			"name a server in gateway.time_from that this machine reaches by HTTPS; without one " + p.waits()}
	}
	return Check{"clock", OK, fmt.Sprintf("not synchronised; %s says that it is %s%s (gateway.time_from)", url, now.UTC().Format(time.RFC3339), within(uncertainty)), ""}
}

// waits says for how long readings wait for the time.
func (p *Config) waits() string {
	if format := formats.NeedsTime(p.Config.Telemetry.Format); format != "" {
		return fmt.Sprintf("readings wait for it: telemetry.format = %q needs the time", format)
	}
	return fmt.Sprintf("readings wait for it for up to %s (gateway.wait_for_clock), and then have no time", config.DurationText(p.Config.Gateway.WaitForClock))
}

func within(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return fmt.Sprintf(", within %v", d.Round(time.Millisecond))
}

package doctor

import (
	"context"
	"fmt"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/sizing"
)

// wire says what telemetry costs the line with this configuration, and what waiting for company
// costs the card. A sample of each sensor's readings is rendered for it.
func (p *Config) wire(ctx context.Context) (checks []Check) {
	w, err := sizing.MeasureWire(p.Config)
	if err != nil {
		return []Check{{"telemetry", Warn, err.Error(), ""}}
	}
	if w.PerMessage > 0 {
		checks = append(checks, Check{"telemetry", OK, fmt.Sprintf("%.0f bytes a reading with this configuration (%s, compress %s, %.1f readings a message), %s a day; TLS and acknowledgements are included, TCP and IP are not",
			w.BytesPerReading, p.Config.Telemetry.Format, p.Config.Telemetry.Compress, w.PerMessage, config.Size(w.BytesPerDay).Rounded()), ""})
	}
	if limit := p.Config.MQTT.BytesPerDay; limit > 0 && w.BytesPerDay > float64(limit) {
		checks = append(checks, Check{"telemetry", Warn, fmt.Sprintf("it needs about %s a day, which is beyond the limit of mqtt.bytes_per_day (%v): what filters drop is not taken into account, nor is health", config.Size(w.BytesPerDay).Rounded(), limit),
			"raise every or linger, set telemetry.compress, or raise mqtt.bytes_per_day"})
	}
	if cost, err := sizing.WaitingCost(ctx, p.Config); err == nil && cost != "" {
		checks = append(checks, Check{"telemetry", Warn, cost, ""})
	}
	return checks
}

package health

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/fieldgate/fieldgate/internal/bounded"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/sampling"
)

// Values calls f for the newest measurement of each field of each sensor: a number, or a switch as
// 0 or 1. unit is "" if the field has none. nil is for a page without them.
type Values func(f func(sensor, field, unit string, value float64))

// Server returns what serves the page on l until ctx ends, and closes l.
func Server(m *Monitor, values Values) func(ctx context.Context, l net.Listener) error {
	return func(ctx context.Context, l net.Listener) error {
		s := bounded.Server(Handler(m, values))
		stop := context.AfterFunc(ctx, func() { _ = s.Close() })
		defer stop()
		if err := s.Serve(bounded.Listener(l)); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("metrics.listen: %w", err)
		}
		return nil
	}
}

// Handler serves /metrics in Prometheus' text format and /healthz: the status line, with 200 while
// all is well and 503 while something is kept from working.
func Handler(m *Monitor, values Values) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		p := metricsOf(m.Snapshot(), values)
		addProcess(p)
		_ = p.write(w) // an error is the client's
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		h := m.Snapshot()
		if h.State != "ok" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprintln(w, StatusLine(h))
	})
	return mux
}

// metricsOf gives a snapshot and the newest values the form of metrics. A value is left out while
// its sensor is not read.
func metricsOf(h contract.Health, values Values) page {
	const (
		waiting   = "Waiting readings, taken since the newest connection (live) or before (backlog)."
		lost      = "Readings that were removed unsent, by reason; the loss ledger lists them."
		linkBytes = "Bytes over the sockets to the broker since the start, by direction; TLS included, TCP and IP not."
		dayBytes  = "Bytes of the present day (UTC), by direction."
		monthly   = "Bytes of the present month (UTC), by direction."
	)
	p := newPage()
	p.gauge("fieldgate_build_info", "Always 1; the label is the version of the program.", 1, label{"version", h.Version})
	p.gauge("fieldgate_queue_readings", waiting, float64(h.Queue.Live), label{"queue", "live"})
	p.gauge("fieldgate_queue_readings", waiting, float64(h.Queue.Backlog), label{"queue", "backlog"})
	p.gauge("fieldgate_queue_events", "Waiting events and replies.", float64(h.Queue.Events))
	p.gauge("fieldgate_queue_in_flight", "Readings, events and replies that were sent and not yet acknowledged.", float64(h.Queue.InFlight))
	p.gauge("fieldgate_queue_bytes", "Size of the store on the disk and in RAM, in bytes.", float64(h.Queue.Bytes))
	p.gauge("fieldgate_queue_max_bytes", "Largest size that the store may have, in bytes (buffer.max_bytes).", float64(h.Queue.MaxBytes))
	p.gauge("fieldgate_queue_oldest_age_seconds", "Age of the oldest waiting reading; 0 if none is waiting or its time is not known.", h.Queue.OldestAge)
	p.counter("fieldgate_readings_appended_total", "Readings taken into the store since the start.", h.Queue.Appended)
	p.counter("fieldgate_readings_delivered_total", "Readings acknowledged by the broker since the start.", h.Queue.Delivered)
	p.counter("fieldgate_readings_lost_total", lost, h.Queue.Evicted, label{"reason", "evicted"})
	p.counter("fieldgate_readings_lost_total", lost, h.Queue.Expired, label{"reason", "expired"})
	p.counter("fieldgate_readings_thinned_total", "Readings that became part of a bucket of several.", h.Queue.Thinned)
	p.counter("fieldgate_readings_lost_total", lost, h.Queue.Rejected, label{"reason", "rejected"})
	p.counter("fieldgate_readings_lost_total", lost, h.Queue.Refused, label{"reason", "refused"})
	p.counter("fieldgate_readings_unrouted_total", "Delivered readings without a subscriber.", h.Queue.Unrouted)
	p.counter("fieldgate_commit_overruns_total", "Commits that were later than buffer.max_loss.", h.Queue.Overruns)
	p.counter("fieldgate_commits_total", "Commits of the store.", h.Flash.Commits)
	p.counter("fieldgate_flash_written_bytes_total", "Bytes that the store handed to the kernel.", h.Flash.Bytes)
	if d := h.Flash.Device; d != nil {
		p.counter("fieldgate_device_written_bytes_total", "Bytes that all programs wrote to the device below the store since the start.", d.Bytes, label{"device", d.Name})
	}
	p.gauge("fieldgate_link_connected", "1 while connected to the broker.", truth(h.Link.Connected))
	p.gauge("fieldgate_link_asleep", "1 while the gateway sleeps between two connections (mqtt.online).", truth(h.Link.Asleep))
	p.counter("fieldgate_link_reconnects_total", "Connections after the first.", h.Link.Reconnects)
	p.counter("fieldgate_link_bytes_total", linkBytes, h.Link.BytesUp, label{"direction", "up"})
	p.counter("fieldgate_link_bytes_total", linkBytes, h.Link.BytesDown, label{"direction", "down"})
	p.gauge("fieldgate_link_day_bytes", dayBytes, float64(h.Link.BytesUpDay), label{"direction", "up"})
	p.gauge("fieldgate_link_day_bytes", dayBytes, float64(h.Link.BytesDownDay), label{"direction", "down"})
	p.gauge("fieldgate_link_month_bytes", monthly, float64(h.Link.BytesUpMonth), label{"direction", "up"})
	p.gauge("fieldgate_link_month_bytes", monthly, float64(h.Link.BytesDownMonth), label{"direction", "down"})
	if h.CertDays != nil {
		const day = 24 * 60 * 60
		p.gauge("fieldgate_certificate_remaining_seconds", "How long the client's certificate is still valid; negative after its end.", *h.CertDays*day)
	}
	p.gauge("fieldgate_clock_synchronised", "1 if the time is known.", truth(h.ClockSync))
	p.gauge("fieldgate_degraded", "1 while something is kept from working; status shows what.", truth(h.State != "ok"))
	for name, s := range h.Sensors {
		p.gauge("fieldgate_sensor_ok", "1 if the last reading of the sensor succeeded.", truth(s.State == "ok"), label{"sensor", name})
		p.gauge("fieldgate_sensor_bad_fields", "Fields of the sensor without a value in its last reading.", float64(len(s.Bad)), label{"sensor", name})
		p.counter("fieldgate_sensor_reads_total", "Readings of the sensor.", s.Reads, label{"sensor", name})
		p.counter("fieldgate_sensor_failures_total", "Failed attempts to read the sensor.", s.Failures, label{"sensor", name})
		p.counter("fieldgate_sensor_skipped_total", "Times at which a reading was due and none was made.", s.Skipped, label{"sensor", name})
	}
	if values == nil {
		return p
	}
	values(func(sensor, field, unit string, value float64) {
		switch sampling.Condition(h.Sensors[sensor].State) {
		case sampling.OK, sampling.Frozen, sampling.Bad:
			p.gauge("fieldgate_sensor_value", "Newest value of a field after the filters: a number, or 0 or 1 for a switch. Absent while the sensor is not read.", value,
				label{"sensor", sensor}, label{"field", field}, label{"unit", unit})
		}
	})
	return p
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

package health

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/VictoriaMetrics/metrics"

	"github.com/fieldgate/fieldgate/internal/bounded"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/sampling"
)

// Values calls f for the newest measurement of each field of each sensor: a number, or a switch as
// 0 or 1. unit is "" if the field has none.
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
		metricsOf(m.Snapshot(), values).write(w)
		metrics.WriteProcessMetrics(w)
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
	p := page{metrics.NewSet(), map[string]string{}}
	p.gauge(`fieldgate_queue_readings{queue="live"}`, waiting, float64(h.Queue.Live))
	p.gauge(`fieldgate_queue_readings{queue="backlog"}`, waiting, float64(h.Queue.Backlog))
	p.gauge(`fieldgate_queue_events`, "Waiting events and replies.", float64(h.Queue.Events))
	p.gauge(`fieldgate_queue_in_flight`, "Readings, events and replies that were sent and not yet acknowledged.", float64(h.Queue.InFlight))
	p.gauge(`fieldgate_queue_bytes`, "Size of the store on the disk and in RAM, in bytes.", float64(h.Queue.Bytes))
	p.gauge(`fieldgate_queue_max_bytes`, "Largest size that the store may have, in bytes (buffer.max_bytes).", float64(h.Queue.MaxBytes))
	p.gauge(`fieldgate_queue_oldest_age_seconds`, "Age of the oldest waiting reading; 0 if none is waiting or its time is not known.", h.Queue.OldestAge)
	p.counter(`fieldgate_readings_appended_total`, "Readings taken into the store since the start.", h.Queue.Appended)
	p.counter(`fieldgate_readings_delivered_total`, "Readings acknowledged by the broker since the start.", h.Queue.Delivered)
	p.counter(`fieldgate_readings_lost_total{reason="evicted"}`, lost, h.Queue.Evicted)
	p.counter(`fieldgate_readings_lost_total{reason="expired"}`, lost, h.Queue.Expired)
	p.counter(`fieldgate_readings_thinned_total`, "Readings that became part of a bucket of several.", h.Queue.Thinned)
	p.counter(`fieldgate_readings_lost_total{reason="rejected"}`, lost, h.Queue.Rejected)
	p.counter(`fieldgate_readings_lost_total{reason="refused"}`, lost, h.Queue.Refused)
	p.counter(`fieldgate_readings_unrouted_total`, "Delivered readings without a subscriber.", h.Queue.Unrouted)
	p.counter(`fieldgate_commit_overruns_total`, "Commits that were later than buffer.max_loss.", h.Queue.Overruns)
	p.counter(`fieldgate_commits_total`, "Commits of the store.", h.Flash.Commits)
	p.counter(`fieldgate_flash_written_bytes_total`, "Bytes that the store handed to the kernel.", h.Flash.Bytes)
	if d := h.Flash.Device; d != nil {
		p.counter(fmt.Sprintf(`fieldgate_device_written_bytes_total{device=%q}`, d.Name), "Bytes that all programs wrote to the device below the store since the start.", d.Bytes)
	}
	p.gauge(`fieldgate_link_connected`, "1 while connected to the broker.", truth(h.Link.Connected))
	p.gauge(`fieldgate_link_asleep`, "1 while the gateway sleeps between two connections (mqtt.online).", truth(h.Link.Asleep))
	p.counter(`fieldgate_link_reconnects_total`, "Connections after the first.", h.Link.Reconnects)
	p.counter(`fieldgate_link_bytes_total{direction="up"}`, linkBytes, h.Link.BytesUp)
	p.counter(`fieldgate_link_bytes_total{direction="down"}`, linkBytes, h.Link.BytesDown)
	p.gauge(`fieldgate_link_day_bytes{direction="up"}`, dayBytes, float64(h.Link.BytesUpDay))
	p.gauge(`fieldgate_link_day_bytes{direction="down"}`, dayBytes, float64(h.Link.BytesDownDay))
	p.gauge(`fieldgate_link_month_bytes{direction="up"}`, monthly, float64(h.Link.BytesUpMonth))
	p.gauge(`fieldgate_link_month_bytes{direction="down"}`, monthly, float64(h.Link.BytesDownMonth))
	p.gauge(`fieldgate_clock_synchronised`, "1 if the time is known.", truth(h.ClockSync))
	p.gauge(`fieldgate_degraded`, "1 while something is kept from working; status shows what.", truth(h.State != "ok"))
	for name, s := range h.Sensors {
		p.gauge(fmt.Sprintf(`fieldgate_sensor_ok{sensor=%q}`, name), "1 if the last reading of the sensor succeeded.", truth(s.State == "ok"))
		p.gauge(fmt.Sprintf(`fieldgate_sensor_bad_fields{sensor=%q}`, name), "Fields of the sensor without a value in its last reading.", float64(len(s.Bad)))
		p.counter(fmt.Sprintf(`fieldgate_sensor_reads_total{sensor=%q}`, name), "Readings of the sensor.", s.Reads)
		p.counter(fmt.Sprintf(`fieldgate_sensor_failures_total{sensor=%q}`, name), "Failed attempts to read the sensor.", s.Failures)
		p.counter(fmt.Sprintf(`fieldgate_sensor_skipped_total{sensor=%q}`, name), "Times at which a reading was due and none was made.", s.Skipped)
	}
	values(func(sensor, field, unit string, value float64) {
		switch sampling.Condition(h.Sensors[sensor].State) {
		case sampling.OK, sampling.Frozen, sampling.Bad:
			p.gauge(fmt.Sprintf(`fieldgate_sensor_value{sensor=%q,field=%q,unit=%q}`, sensor, field, unit), "Newest value of a field after the filters: a number, or 0 or 1 for a switch. Absent while the sensor is not read.", value)
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

package health

import (
	"bytes"
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

// Serve serves the page on l until ctx ends, and closes l.
func Serve(ctx context.Context, l net.Listener, m *Monitor, values Values) error {
	s := bounded.Server(Handler(m, values))
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	if err := s.Serve(bounded.Listener(l)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("metrics.listen: %w", err)
	}
	return nil
}

// Handler serves /metrics in Prometheus' text format and /healthz: the status line, with 200 while
// all is well and 503 while something is kept from working.
func Handler(m *Monitor, values Values) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		set := metricsOf(m.Snapshot(), values)
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		var page bytes.Buffer
		set.WritePrometheus(&page)
		writeHelp(w, page.Bytes())
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
func metricsOf(h contract.Health, values Values) *metrics.Set {
	set := metrics.NewSet()
	gauge := func(name string, v float64) { set.GetOrCreateGauge(name, nil).Set(v) }
	counter := func(name string, v uint64) { set.GetOrCreateCounter(name).Set(v) }
	gauge(`fieldgate_queue_readings{queue="live"}`, float64(h.Queue.Live))
	gauge(`fieldgate_queue_readings{queue="backlog"}`, float64(h.Queue.Backlog))
	gauge(`fieldgate_queue_events`, float64(h.Queue.Events))
	gauge(`fieldgate_queue_in_flight`, float64(h.Queue.InFlight))
	gauge(`fieldgate_queue_bytes`, float64(h.Queue.Bytes))
	gauge(`fieldgate_queue_max_bytes`, float64(h.Queue.MaxBytes))
	gauge(`fieldgate_queue_oldest_age_seconds`, h.Queue.OldestAge)
	counter(`fieldgate_readings_appended_total`, h.Queue.Appended)
	counter(`fieldgate_readings_delivered_total`, h.Queue.Delivered)
	counter(`fieldgate_readings_lost_total{reason="evicted"}`, h.Queue.Evicted)
	counter(`fieldgate_readings_lost_total{reason="expired"}`, h.Queue.Expired)
	counter(`fieldgate_readings_thinned_total`, h.Queue.Thinned)
	counter(`fieldgate_readings_lost_total{reason="rejected"}`, h.Queue.Rejected)
	counter(`fieldgate_readings_lost_total{reason="refused"}`, h.Queue.Refused)
	counter(`fieldgate_readings_unrouted_total`, h.Queue.Unrouted)
	counter(`fieldgate_commit_overruns_total`, h.Queue.Overruns)
	counter(`fieldgate_commits_total`, h.Flash.Commits)
	counter(`fieldgate_flash_written_bytes_total`, h.Flash.Bytes)
	if d := h.Flash.Device; d != nil {
		counter(fmt.Sprintf(`fieldgate_device_written_bytes_total{device=%q}`, d.Name), d.Bytes)
	}
	gauge(`fieldgate_link_connected`, truth(h.Link.Connected))
	counter(`fieldgate_link_reconnects_total`, h.Link.Reconnects)
	counter(`fieldgate_link_bytes_total{direction="up"}`, h.Link.BytesUp)
	counter(`fieldgate_link_bytes_total{direction="down"}`, h.Link.BytesDown)
	gauge(`fieldgate_clock_synchronised`, truth(h.ClockSync))
	gauge(`fieldgate_degraded`, truth(h.State != "ok"))
	for name, s := range h.Sensors {
		gauge(fmt.Sprintf(`fieldgate_sensor_ok{sensor=%q}`, name), truth(s.State == "ok"))
		gauge(fmt.Sprintf(`fieldgate_sensor_bad_fields{sensor=%q}`, name), float64(len(s.Bad)))
		counter(fmt.Sprintf(`fieldgate_sensor_reads_total{sensor=%q}`, name), s.Reads)
		counter(fmt.Sprintf(`fieldgate_sensor_failures_total{sensor=%q}`, name), s.Failures)
		counter(fmt.Sprintf(`fieldgate_sensor_skipped_total{sensor=%q}`, name), s.Skipped)
	}
	values(func(sensor, field, unit string, value float64) {
		switch sampling.Condition(h.Sensors[sensor].State) {
		case sampling.OK, sampling.Frozen, sampling.Bad:
			gauge(fmt.Sprintf(`fieldgate_sensor_value{sensor=%q,field=%q,unit=%q}`, sensor, field, unit), value)
		}
	})
	return set
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

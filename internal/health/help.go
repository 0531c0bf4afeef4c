package health

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// help says what each family of metrics is. One that ends with _total is a counter, any other a
// gauge.
var help = map[string]string{
	"fieldgate_queue_readings":             "Waiting readings, taken since the newest connection (live) or before (backlog).",
	"fieldgate_queue_events":               "Waiting events and replies.",
	"fieldgate_queue_in_flight":            "Readings, events and replies that were sent and not yet acknowledged.",
	"fieldgate_queue_bytes":                "Size of the store on the disk and in RAM, in bytes.",
	"fieldgate_queue_max_bytes":            "Largest size that the store may have, in bytes (buffer.max_bytes).",
	"fieldgate_queue_oldest_age_seconds":   "Age of the oldest waiting reading; 0 if none is waiting or its time is not known.",
	"fieldgate_readings_appended_total":    "Readings taken into the store since the start.",
	"fieldgate_readings_delivered_total":   "Readings acknowledged by the broker since the start.",
	"fieldgate_readings_lost_total":        "Readings that were removed unsent, by reason; the loss ledger lists them.",
	"fieldgate_readings_thinned_total":     "Readings that became part of a bucket of several.",
	"fieldgate_readings_unrouted_total":    "Delivered readings without a subscriber.",
	"fieldgate_commit_overruns_total":      "Commits that were later than buffer.max_loss.",
	"fieldgate_commits_total":              "Commits of the store.",
	"fieldgate_flash_written_bytes_total":  "Bytes that the store handed to the kernel.",
	"fieldgate_device_written_bytes_total": "Bytes that all programs wrote to the device below the store since the start.",
	"fieldgate_link_connected":             "1 while connected to the broker.",
	"fieldgate_link_reconnects_total":      "Connections after the first.",
	"fieldgate_link_bytes_total":           "Bytes of MQTT, below TLS, by direction.",
	"fieldgate_clock_synchronised":         "1 if the time is known.",
	"fieldgate_degraded":                   "1 while something is kept from working; status shows what.",
	"fieldgate_sensor_ok":                  "1 if the last reading of the sensor succeeded.",
	"fieldgate_sensor_bad_fields":          "Fields of the sensor without a value in its last reading.",
	"fieldgate_sensor_value":               "Newest value of a field after the filters: a number, or 0 or 1 for a switch. Absent while the sensor is not read.",
	"fieldgate_sensor_reads_total":         "Readings of the sensor.",
	"fieldgate_sensor_failures_total":      "Failed attempts to read the sensor.",
	"fieldgate_sensor_skipped_total":       "Times at which a reading was due and none was made.",
}

// writeHelp copies metrics, sorted by name, and puts HELP and TYPE before each family.
func writeHelp(out io.Writer, page []byte) {
	last := ""
	for line := range bytes.Lines(page) {
		family := string(line)
		if i := strings.IndexAny(family, "{ "); i >= 0 {
			family = family[:i]
		}
		if text := help[family]; text != "" && family != last {
			kind := "gauge"
			if strings.HasSuffix(family, "_total") {
				kind = "counter"
			}
			fmt.Fprintf(out, "# HELP %s %s\n# TYPE %[1]s %[3]s\n", family, text, kind)
		}
		last = family
		_, _ = out.Write(line)
	}
}

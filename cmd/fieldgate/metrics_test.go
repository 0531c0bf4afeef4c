package main

import (
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestMetricsPage: what a running gateway serves is what Prometheus wants.
func TestMetricsPage(t *testing.T) {
	addr := freeAddress(t)
	g := newGateway(t, "mqtt://127.0.0.1:1", waveSensor+"[metrics]\nlisten = \""+addr+"\"\n")
	g.running()
	get := func(path string) string {
		t.Helper()
		want := http.StatusOK
		if path == "/healthz" { // it is offline
			want = http.StatusServiceUnavailable
		}
		return httpGet(t, "http://"+addr+path, want)
	}
	eventually(t, 5*time.Second, "the page counts readings", func() bool {
		return strings.Contains(get("/metrics"), `fieldgate_sensor_ok{sensor="wave"} 1`)
	})
	for _, want := range []string{"fieldgate_link_connected 0\n", "fieldgate_queue_readings{queue=", "process_resident_memory_bytes "} {
		if text := get("/metrics"); !strings.Contains(text, want) {
			t.Errorf("want %q in\n%s", want, text)
		}
	}
	checkMetrics(t, get("/metrics"))
	if text := get("/healthz"); !strings.HasPrefix(text, "offline; 1 of 1 sensors ok") || !strings.Contains(text, "degraded: no connection to the broker") || !strings.Contains(text, "nothing listens") {
		t.Errorf("healthz: %q", text)
	}
}

// checkMetrics has Prometheus' own program judge a page, if it is here.
func checkMetrics(t *testing.T, page string) {
	t.Helper()
	t.Run("promtool", func(t *testing.T) {
		promtool, err := exec.LookPath("promtool")
		if err != nil {
			t.Skip("promtool is not installed: Debian's package prometheus has it")
		}
		c := exec.Command(promtool, "check", "metrics")
		c.Stdin = strings.NewReader(page)
		if out, err := c.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%v\n%s\n%s", err, out, page)
		}
	})
}

// TestMetricsWithoutValues: the switch takes what is measured from the page, and nothing else.
func TestMetricsWithoutValues(t *testing.T) {
	addr := freeAddress(t)
	g := newGateway(t, "mqtt://127.0.0.1:1", waveSensor+"[metrics]\nlisten = \""+addr+"\"\nvalues = false\n")
	g.running()
	var page string
	eventually(t, 5*time.Second, "the sensor is read", func() bool {
		page = httpGet(t, "http://"+addr+"/metrics", http.StatusOK)
		return strings.Contains(page, `fieldgate_sensor_ok{sensor="wave"} 1`)
	})
	if strings.Contains(page, "fieldgate_sensor_value") {
		t.Errorf("the page has values:\n%s", page)
	}
	checkMetrics(t, page)
}

// freeAddress is one on which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// httpGet gets a page that comes with a status.
func httpGet(t *testing.T, url string, status int) string {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != status {
		t.Fatalf("%s: %s %v", url, r.Status, err)
	}
	return string(text)
}

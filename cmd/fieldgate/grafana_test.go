package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// dashboard is what the tests need of a dashboard of Grafana.
type dashboard struct {
	UID    string
	Panels []struct {
		Title   string
		Targets []struct{ Expr, RawSQL string }
	}
	Templating struct {
		List []struct{ Name, Type, Query string }
	}
}

func readJSON(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(consumers, file))
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// TestMetricsOfDashboardAndAlerts: each metric that the dashboard and the alert rules name is on
// the page of a running gateway; if Prometheus is there, it takes the rules, and each panel shows
// something.
func TestMetricsOfDashboardAndAlerts(t *testing.T) {
	t.Parallel()
	m := newMosquitto(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	l.Close()
	g := newGateway(t, m.url(), waveSensor+fmt.Sprintf("[metrics]\nlisten = %q\n", at))
	g.running()
	g.online()
	page := ""
	eventually(t, 10*time.Second, "a value is on the page", func() bool {
		r, err := http.Get("http://" + at + "/metrics")
		if err != nil {
			return false
		}
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		page = string(text)
		return err == nil && strings.Contains(page, "fieldgate_sensor_value{")
	})
	var d dashboard
	readJSON(t, "grafana-metrics.json", &d)
	alerts, err := os.ReadFile(filepath.Join(consumers, "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	uses := string(alerts)
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			uses += "\n" + target.Expr
		}
	}
	names := regexp.MustCompile(`\bfieldgate_\w+`).FindAllString(uses, -1)
	if len(names) < 20 {
		t.Fatalf("only %d names of metrics", len(names))
	}
	for _, name := range names {
		if !regexp.MustCompile(`(?m)^` + name + `[{ ]`).MatchString(page) {
			t.Errorf("there is no %s on the page", name)
		}
	}

	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("Prometheus is not installed: THE RULES AND PANELS WERE NOT RUN; apt-get install prometheus")
	}
	if out, err := exec.Command("promtool", "test", "rules", filepath.Join(consumers, "alerts_test.yml")).CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
	p := newPrometheus(t, program, at)
	for _, panel := range d.Panels {
		for _, target := range panel.Targets {
			expr := strings.NewReplacer("$instance", ".*", "$__rate_interval", "10s", "$__range", "1h").Replace(target.Expr)
			eventually(t, 30*time.Second, "the panel "+panel.Title+" shows something", func() bool { return len(p.query(expr)) > 0 })
		}
	}
	rules := p.get("/api/v1/rules")
	if n := strings.Count(rules, `"type":"alerting"`); n != strings.Count(uses, "- alert: ") || !strings.Contains(rules, `"health":"ok"`) || strings.Contains(rules, `"health":"err"`) {
		t.Errorf("%d rules: %.2000s", n, rules)
	}
	g.kill()
	eventually(t, 30*time.Second, "the alert FieldgateDown is pending", func() bool {
		return strings.Contains(p.get("/api/v1/alerts"), `"alertname":"FieldgateDown"`)
	})
}

// prometheus is the real program, which scrapes a gateway with the rules of docs/consumers.
type prometheus struct {
	t    *testing.T
	base string
}

func newPrometheus(t *testing.T, program, target string) *prometheus {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	rules, err := filepath.Abs(filepath.Join(consumers, "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%q]\nscrape_configs: [{job_name: fieldgate, static_configs: [{targets: [%q]}]}]\n", rules, target)
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--config.file="+file, "--storage.tsdb.path="+dir+"/data", "--web.listen-address="+at)
	var log syncBuffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("Prometheus: %s", &log)
		}
	})
	p := &prometheus{t, "http://" + at}
	eventually(t, 30*time.Second, "Prometheus answers", func() bool {
		r, err := http.Get(p.base + "/-/ready")
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
	return p
}

func (p *prometheus) get(path string) string {
	p.t.Helper()
	r, err := http.Get(p.base + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: %s, %v, %s", path, r.Status, err, text)
	}
	return string(text)
}

// query returns the series that an expression has now.
func (p *prometheus) query(expr string) []json.RawMessage {
	p.t.Helper()
	var answer struct {
		Data struct{ Result []json.RawMessage }
	}
	if err := json.Unmarshal([]byte(p.get("/api/v1/query?query="+url.QueryEscape(expr))), &answer); err != nil {
		p.t.Fatal(err)
	}
	return answer.Data.Result
}

// checkPanels runs the SQL of the dashboard's panels and of the alerts on an archive, with the
// variables replaced as Grafana does it. alerts says how many rows each alert gives, empty which
// panels show nothing.
func checkPanels(t *testing.T, query func(string) ([][]string, error), alerts map[string]int, empty ...string) {
	t.Helper()
	views, err := os.ReadFile(filepath.Join(consumers, "grafana.sql"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := sqlBlocks(t, "verify.md")
	if !strings.Contains(string(views), "CREATE OR REPLACE VIEW missing AS\n"+blocks[1]) {
		t.Error("the view missing is not the first query of verify.md")
	}
	if _, err := query(string(views)); err != nil {
		t.Fatal(err)
	}
	var d dashboard
	readJSON(t, "grafana-archive.json", &d)
	from, to := time.Now().Add(-24*time.Hour).UTC().Format("2006-01-02T15:04:05.000Z"), time.Now().Add(24*time.Hour).UTC().Format("2006-01-02T15:04:05.000Z")
	replace := []string{"${__from:date:iso}", from, "${__to:date:iso}", to, "$__timeFrom()", "'" + from + "'", "$__timeTo()", "'" + to + "'"}
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		rows, err := query(v.Query)
		if err != nil || len(rows) == 0 {
			t.Fatalf("the variable %s: %v, %v", v.Name, rows, err)
		}
		var quoted []string
		for _, r := range rows {
			quoted = append(quoted, "'"+r[0]+"'")
		}
		replace = append(replace, "$"+v.Name, strings.Join(quoted, ","))
	}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			rows, err := query(strings.NewReplacer(replace...).Replace(target.RawSQL))
			if none := slices.Contains(empty, p.Title); err != nil || none != (len(rows) == 0) {
				t.Errorf("panel %q: %d rows, %v", p.Title, len(rows), err)
			}
		}
	}
	var rules struct {
		Groups []struct {
			Rules []struct {
				Title string
				Data  []struct{ Model struct{ RawSQL string } }
			}
		}
	}
	readJSON(t, "grafana-alerts.json", &rules)
	for _, r := range rules.Groups[0].Rules {
		rows, err := query(r.Data[0].Model.RawSQL)
		if want, ok := alerts[r.Title]; err != nil || !ok || want != len(rows) {
			t.Errorf("alert %q: want %d, got %v, %v", r.Title, want, rows, err)
		}
	}
}

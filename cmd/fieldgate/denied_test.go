package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/reading"
)

// fill puts n readings of each of the sensors into the store of a gateway that does not run.
func (g *gatewayRig) fill(n int, sensors ...string) {
	g.t.Helper()
	began := time.Now()
	s, err := buffer.Open(g.t.Context(), g.path("queue.db"), buffer.Options{MaxLoss: time.Second, Machine: "m", KernelBoot: "k", Now: func() time.Duration { return time.Hour + time.Since(began) }})
	if err != nil {
		g.t.Fatal(err)
	}
	for i := range n {
		for _, sensor := range sensors {
			body := reading.Append(nil, []drivers.Value{drivers.Int("count", int64(i)), drivers.Float("temperature", 20+float64(i)/7)})
			if _, err := s.Append(g.t.Context(), buffer.Readings, sensor, time.Duration(i)*time.Millisecond, body); err != nil {
				g.t.Fatal(err)
			}
		}
	}
	if err := s.Close(g.t.Context()); err != nil {
		g.t.Fatal(err)
	}
}

// TestDeniedTopicsAndALimitThatIsNotAnnounced: mosquitto refuses P/last and P/cmd and takes no message above 32 KiB, which it does not say.
// A backlog of 100,000 readings arrives whole, nothing becomes a dead letter, and status names P/last. Of P/cmd nothing can be told: mosquitto's ACL file grants the subscription (SUBACK 0x01) and delivers nothing.
func TestDeniedTopicsAndALimitThatIsNotAnnounced(t *testing.T) {
	acl := filepath.Join(t.TempDir(), "acl")
	if err := os.WriteFile(acl, []byte("topic readwrite fieldgate/#\ntopic deny fieldgate/gw/last/#\ntopic deny fieldgate/gw/cmd/#\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	m := newMosquitto(t, "allow_anonymous true", "message_size_limit 32768", "acl_file "+acl, "log_type all")
	g := newGateway(t, m.url(), "[telemetry]\nbatch_max = 2000\n"+waveSensor)
	const each = 10000
	var sensors []string
	for i := range 10 {
		sensors = append(sensors, fmt.Sprintf("s%d", i))
	}
	g.fill(each, sensors...)

	sub := exec.Command("mosquitto_sub", "-V", "5", "-p", m.port, "-t", "fieldgate/gw/telemetry/#", "-q", "1", "-F", "%p")
	out, err := sub.StdoutPipe()
	if err == nil {
		err = sub.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = sub.Process.Signal(syscall.SIGTERM)
		_ = sub.Wait()
	}()
	eventually(t, 5*time.Second, "the subscriber is there", func() bool { return strings.Contains(m.log.String(), "Sending SUBACK to") })
	seen := map[string]map[uint64]bool{}
	arrived := make(chan int)
	go func() { // ends with the subscriber
		defer close(arrived)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		total := 0
		for lines.Scan() {
			var b struct {
				Sensor   string
				Readings []struct{ Seq uint64 }
			}
			if json.Unmarshal(lines.Bytes(), &b) != nil || !strings.HasPrefix(b.Sensor, "s") {
				continue
			}
			if seen[b.Sensor] == nil {
				seen[b.Sensor] = map[uint64]bool{}
			}
			for _, r := range b.Readings {
				if !seen[b.Sensor][r.Seq] {
					seen[b.Sensor][r.Seq] = true
					total++
				}
			}
			if total == each*len(sensors) {
				arrived <- total
				return
			}
		}
	}()
	g.running()
	begin := time.Now()
	select {
	case n := <-arrived:
		t.Logf("%d readings in %v", n, time.Since(begin).Round(time.Millisecond))
	case <-time.After(90 * time.Second):
		s, _ := g.ask()
		t.Fatalf("the backlog does not arrive: %+v %q", s.Health.Queue, s.Health.Reasons)
	}
	var reasons string
	eventually(t, 30*time.Second, "status names the topic", func() bool {
		s, err := g.ask()
		reasons = strings.Join(s.Health.Reasons, "\n")
		return err == nil && s.Health.State == "degraded" && strings.Contains(reasons, "fieldgate/gw/last/")
	})
	s, err := g.ask()
	if err != nil || s.Health.Queue.Refused != 0 || strings.Contains(reasons, "dead-letter") {
		t.Errorf("want no dead letter: %+v %v\n%s", s.Health.Queue, err, reasons)
	}
	line, code := g.command("status", "--check", "-c", g.path("fieldgate.toml"))
	if code != exitDegraded || !strings.Contains(line, "degraded: ") {
		t.Errorf("status --check: exit code %d, %q", code, line)
	}
	if code := g.stop(); code != exitDone {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	if line, code := g.command("status", "--check", "-c", g.path("fieldgate.toml")); code != exitUnknown || !strings.HasPrefix(line, "unknown: ") {
		t.Errorf("status --check without a gateway: exit code %d, %q", code, line)
	}
	g.fill(each/10, sensors...)
	g.running()
	eventually(t, 30*time.Second, "the second backlog is delivered", func() bool { s, err := g.ask(); return err == nil && s.Health.Queue.Delivered >= each })
}

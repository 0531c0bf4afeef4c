package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
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
	s, err := buffer.Open(g.t.Context(), g.path("queue.db"), buffer.Options{MaxLoss: time.Second, Machine: "m", KernelBoot: "k", Up: func() time.Duration { return time.Hour + time.Since(began) }})
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

// denying returns the configuration of mosquitto's dynamic security that denies publishing to one
// filter and subscribing to another. An acl_file would not do: it grants every subscription and
// delivers nothing.
func denying(t *testing.T, publish, subscribe string) string {
	t.Helper()
	plugin := "/usr/lib/" + map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH] + "-linux-gnu/mosquitto_dynamic_security.so"
	if _, err := os.Stat(plugin); err != nil {
		t.Skip("mosquitto's dynamic security is not installed")
	}
	file := filepath.Join(t.TempDir(), "dynamic-security.json")
	text := fmt.Sprintf(`{"defaultACLAccess":{"publishClientSend":true,"publishClientReceive":true,"subscribe":true,"unsubscribe":true},
"anonymousGroup":"all","groups":[{"groupname":"all","roles":[{"rolename":"all"}],"clients":[]}],"clients":[],
"roles":[{"rolename":"all","acls":[{"acltype":"publishClientSend","topic":%q,"allow":false},{"acltype":"subscribePattern","topic":%q,"allow":false}]}]}`, publish, subscribe)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return "plugin " + plugin + "\nplugin_opt_config_file " + file
}

// TestDeniedTopicsAndALimitThatIsNotAnnounced: mosquitto refuses P/last and P/cmd and takes no
// message above 32 KiB, which it does not say. A backlog of 100,000 readings arrives whole, nothing
// becomes a dead letter, status names both topics, and the limit is remembered.
func TestDeniedTopicsAndALimitThatIsNotAnnounced(t *testing.T) {
	m := newMosquitto(t, "allow_anonymous true", "message_size_limit 32768", denying(t, "fieldgate/gw/last/#", "fieldgate/gw/cmd/#"), "log_type all")
	g := newGateway(t, m.url(), "[telemetry]\nbatch_max = 2000\n"+waveSensor)
	const each = 10000
	var sensors []string
	for i := range 10 {
		sensors = append(sensors, fmt.Sprintf("s%d", i))
	}
	// one after the other, so that messages get as large as batch_max lets them
	for _, sensor := range sensors {
		g.fill(each, sensor)
	}

	sub := exec.Command("mosquitto_sub", "-V", "5", "-p", m.port, "-t", "fieldgate/gw/telemetry/#", "-q", "1", "-F", "%p")
	out, err := sub.StdoutPipe()
	if err == nil {
		err = sub.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = sub.Process.Kill() // it may be writing what nobody reads any more
		_ = sub.Wait()
	}()
	eventually(t, 5*time.Second, "the subscriber is there", func() bool { return strings.Contains(m.log.String(), "Sending SUBACK to") })
	seen := map[string]map[uint64]bool{}
	arrived := make(chan int, 1)
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
					total++ // what comes later has these numbers again
				}
			}
			if total == each*len(sensors) {
				arrived <- total
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
		return err == nil && s.Health.State == "degraded" && strings.Contains(reasons, "fieldgate/gw/last/") && strings.Contains(reasons, "fieldgate/gw/cmd/")
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
	if !strings.Contains(g.log.String(), "the broker has a limit on message size") || !strings.Contains(m.log.String(), "Dropped too large PUBLISH") {
		t.Error("the limit of a message was not learned")
	}
	if line, code := g.command("status", "--check", "-c", g.path("fieldgate.toml")); code != exitUnknown || !strings.HasPrefix(line, "unknown: ") {
		t.Errorf("status --check without a gateway: exit code %d, %q", code, line)
	}
	g.fill(each/10, sensors[0])
	learned, large := strings.Count(g.log.String(), "the broker has a limit on message size"), strings.Count(m.log.String(), "Dropped too large PUBLISH")
	g.running()
	eventually(t, 30*time.Second, "the second backlog is delivered", func() bool { s, err := g.ask(); return err == nil && s.Health.Queue.Delivered >= each/10 })
	if strings.Count(g.log.String(), "the broker has a limit on message size") != learned || strings.Count(m.log.String(), "Dropped too large PUBLISH") != large {
		t.Error("the next start had to learn the limit anew")
	}
}

package powercut

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/mqtt"
)

var (
	kernel   = flag.String("powercut.kernel", "", "kernel of the machine; the tests are skipped without it")
	initrd   = flag.String("powercut.initrd", "", "its initial file system, made by initrd.sh")
	image    = flag.String("powercut.image", "", "its disk, made by image.sh")
	program  = flag.String("powercut.program", "", "the program on this machine, for verify")
	cuts     = flag.Int("powercut.cuts", 25, "cuts of the working service")
	upgrades = flag.Int("powercut.upgrades", 10, "cuts in the middle of an upgrade")
)

// deliversWithin is how long a machine may take from its power-up until the subscriber hears of its
// readings; it is emulated.
const deliversWithin = 3 * time.Minute

// A receiver subscribes to everything and keeps it for verify.
type receiver struct {
	t      *testing.T
	broker *exec.Cmd
	port   string
	file   *os.File

	mu      sync.Mutex
	boot    int // the newest start of the program that was heard of, and its run
	run     string
	live    bool     // a live reading of it has arrived
	left    bool     // it said that it is offline
	updates []string // events
	changed chan struct{}
}

func receive(t *testing.T) *receiver {
	t.Helper()
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	l.Close()
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{t: t, port: port, changed: make(chan struct{}, 1)}
	text := fmt.Sprintf("listener %s 127.0.0.1\nallow_anonymous true\nmax_queued_messages 10000000\nmax_inflight_messages 1000\n", port)
	if os.Geteuid() == 0 {
		text += "user root\n"
	}
	conf := filepath.Join(dir, "mosquitto.conf")
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	r.broker = exec.Command("mosquitto", "-c", conf)
	if r.broker.Err != nil {
		r.broker = exec.Command("/usr/sbin/mosquitto", "-c", conf)
	}
	if err := r.broker.Start(); err != nil {
		t.Fatal(err)
	}
	if r.file, err = os.Create(filepath.Join(dir, "received.jsonl")); err != nil {
		t.Fatal(err)
	}
	c, err := mqtt.New(mqtt.Config{URLs: []string{"mqtt://127.0.0.1:" + port}, ClientID: "receiver", ReceiveMaximum: 1000,
		Subscriptions: []mqtt.Subscription{{Filter: "fieldgate/#", QoS: mqtt.AtLeastOnce}},
		Handler:       func(_ context.Context, m *mqtt.Message) error { return r.take(m) }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
		_ = r.broker.Process.Signal(syscall.SIGCONT)
		_ = r.broker.Process.Kill()
		_ = r.broker.Wait()
		r.file.Close()
	})
	return r
}

func (r *receiver) take(m *mqtt.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var d struct {
		State string
		Run   string
		Boot  int
	}
	_ = json.Unmarshal(m.Payload, &d) // what is no such document is for verify
	switch levels := strings.Split(m.Topic, "/"); {
	case levels[2] == "status" && d.State == "online" && d.Boot > r.boot:
		r.boot, r.run, r.live, r.left = d.Boot, d.Run, false, false
	case levels[2] == "status" && d.State == "offline" && d.Run == r.run:
		r.left = true
	case levels[2] == "telemetry" && len(levels) == 4 && d.Run == r.run:
		r.live = true
	case strings.HasSuffix(m.Topic, "/events/update"):
		r.updates = append(r.updates, string(m.Payload))
	}
	select {
	case r.changed <- struct{}{}:
	default:
	}
	_, err := fmt.Fprintf(r.file, "{\"topic\":%q,\"payload\":%q}\n", m.Topic, m.Payload)
	return err
}

// starts returns how many starts of the program were heard of.
func (r *receiver) starts() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.boot
}

// delivers waits until live readings of a start after the given one arrive, and returns how long
// that took.
func (r *receiver) delivers(m *machine, after int) time.Duration {
	r.t.Helper()
	begin := time.Now()
	if !r.until(deliversWithin, func() bool { return r.boot > after && r.live }) {
		r.t.Fatalf("no reading within %v of the power-up:\n%s", deliversWithin, m.console)
	}
	return time.Since(begin)
}

// until waits for what arrives to make ok true, at most so long; ok is called with mu held.
func (r *receiver) until(limit time.Duration, ok func() bool) bool {
	for over := time.After(limit); ; {
		r.mu.Lock()
		is := ok()
		r.mu.Unlock()
		if is {
			return true
		}
		select {
		case <-r.changed:
		case <-over:
			return false
		}
	}
}

// cutDuringOutage keeps the broker from answering, so that what is measured goes to the disk, until
// the power goes out at the flush after the next n. It returns how long that took.
func (r *receiver) cutDuringOutage(m *machine, n int) time.Duration {
	r.t.Helper()
	begin := time.Now()
	_ = r.broker.Process.Signal(syscall.SIGSTOP)
	defer func() { _ = r.broker.Process.Signal(syscall.SIGCONT) }()
	m.disk.CutAfter(n)
	select {
	case <-m.disk.Cut():
	case <-time.After(2 * time.Minute):
		r.t.Errorf("the disk was not flushed %d times within 2m", n)
	}
	return time.Since(begin)
}

// verify waits until nothing is left in the queue and holds what was received against the ledger.
func (r *receiver) verify(m *machine) string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 2*time.Minute)
	defer cancel()
	if out, code := m.do(ctx, "for i in $(seq 60); do fieldgate status | grep -q ' 0 backlog' && break; sleep 1; done; systemctl stop fieldgate; systemctl is-failed fieldgate"); code == 0 {
		r.t.Errorf("the service failed: %s", out)
	}
	if !r.until(time.Minute, func() bool { return r.left }) { // the last that it sends
		r.t.Error("the gateway was stopped, and nothing said that it is offline")
	}
	out, err := exec.Command(*program, "verify", r.file.Name()).CombinedOutput()
	if err != nil {
		r.t.Errorf("verify: %v\n%s", err, out)
	}
	return string(out)
}

func needMachine(t *testing.T) (medium string) {
	t.Helper()
	if *kernel == "" {
		t.Skip("needs a machine: make test-service-power")
	}
	medium = filepath.Join(t.TempDir(), "disk")
	if out, err := exec.Command("cp", "--sparse=always", *image, medium).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return medium
}

// probability is how much of what was not flushed a cut keeps.
func probability(i int) float64 { return []float64{0, 0.5, 1, rand.Float64()}[i%4] }

// TestServiceSurvivesPowerCuts cuts the power of the working service, half of the time while the
// broker does not answer, at a flush of the disk.
func TestServiceSurvivesPowerCuts(t *testing.T) {
	medium := needMachine(t)
	r := receive(t)
	unflushed, slowest := 0, time.Duration(0)
	for i := range *cuts {
		before := r.starts()
		m := boot(t, medium, r.port)
		took := r.delivers(m, before)
		slowest = max(slowest, took)
		works := time.Duration(rand.Int64N(int64(6 * time.Second)))
		if i%2 == 0 {
			<-time.After(works) // any moment of its work
		} else {
			works = r.cutDuringOutage(m, 1+rand.IntN(20))
		}
		n := m.cut(probability(i))
		unflushed += n
		t.Logf("cut %d: delivered %v after power-up, cut %v later, %d sectors not flushed", i+1, took.Round(100*time.Millisecond), works.Round(100*time.Millisecond), n)
	}
	before := r.starts()
	m := boot(t, medium, r.port)
	r.delivers(m, before)
	out := r.verify(m)
	m.cut(1)
	t.Logf("%d cuts, %d sectors were not flushed, the slowest power-up delivered after %v\n%s", *cuts, unflushed, slowest.Round(100*time.Millisecond), out)
}

// TestUpgradeSurvivesPowerCuts cuts the power in the middle of upgrades from one package to the
// other and back: a program runs and delivers after each, and dpkg can finish what it had begun.
func TestUpgradeSurvivesPowerCuts(t *testing.T) {
	medium := needMachine(t)
	r := receive(t)
	for i := range *upgrades {
		before := r.starts()
		m := boot(t, medium, r.port)
		r.delivers(m, before)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		m.do(ctx, "true") // the shell is there
		next := 2 - i%2
		m.begin(fmt.Sprintf("dpkg -i /root/packages/%d.deb >/dev/null 2>&1", next))
		after := time.Duration(rand.Int64N(int64(12 * time.Second)))
		<-time.After(after) // any moment of the upgrade
		n := m.cut(probability(i))

		before = r.starts()
		m = boot(t, medium, r.port)
		took := r.delivers(m, before)
		version, _ := m.do(ctx, "cat /proc/$(systemctl show -P MainPID fieldgate)/comm; fieldgate version; dpkg-query -W -f '${Version} ${Status}' fieldgate; ls /usr/lib/fieldgate")
		if out, code := m.do(ctx, fmt.Sprintf("dpkg --configure -a && dpkg -i /root/packages/%d.deb", next)); code != 0 {
			t.Errorf("dpkg does not recover: %s", out)
		}
		if out, code := m.do(ctx, "for i in $(seq 90); do systemctl is-active -q fieldgate && fieldgate status --check && exit 0; sleep 1; done; fieldgate status"); code != 0 {
			t.Errorf("not well after the upgrade: %s", out)
		}
		m.cut(1)
		cancel()
		t.Logf("cut %d: %v into the upgrade, %d sectors not flushed; delivered again after %v: %s", i+1, after.Round(100*time.Millisecond), n, took.Round(100*time.Millisecond), strings.ReplaceAll(version, "\n", ", "))
	}
	before := r.starts()
	m := boot(t, medium, r.port)
	r.delivers(m, before)
	t.Logf("%s\nupdate events: %s", r.verify(m), strings.Join(r.updates, "\n"))
	m.cut(1)
}

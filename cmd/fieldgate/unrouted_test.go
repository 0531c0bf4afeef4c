package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/internal/verify"
)

// writeDown runs mosquitto_sub as docs/verify.md says, appending to a file until stop is called;
// its session ends then.
func writeDown(t *testing.T, m *mosquitto, file string) (stop func()) {
	t.Helper()
	out, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	ready := strings.Count(readText(t, file), `"ready"`)
	// seen when the subscription is in force
	m.client("mosquitto_pub", "-r", "-t", "ready", "-m", "1")
	cmd := exec.Command("mosquitto_sub", "-V", "5", "-p", m.port, "-t", "fieldgate/#", "-t", "ready", "-q", "1", "-F", "%j")
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
		}
	}
	t.Cleanup(stop)
	eventually(t, 5*time.Second, "the subscriber is there", func() bool { return strings.Count(readText(t, file), `"ready"`) > ready })
	return stop
}

func readText(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestNobodySubscribedIsExplained: while the only subscriber is away and its session ended the
// broker answers 0x10, to the readings and to the loss event that names them. When it is back it
// learns of every reading that it did not get.
func TestNobodySubscribedIsExplained(t *testing.T) {
	m := newMosquitto(t, "allow_anonymous true", "log_type all")
	g := newGateway(t, m.url(), "[[sensor]]\nname = \"fast\"\ndriver = \"sim\"\nevery = \"50ms\"\n")
	file := g.path("messages.jsonl")
	heard := func(part string) int { return strings.Count(readText(t, file), part) }
	stop := writeDown(t, m, file)
	g.running()
	eventually(t, 10*time.Second, "readings arrive", func() bool { return heard("telemetry/fast") > 20 })
	stop()

	unrouted := func() uint64 {
		s, err := g.ask()
		if err != nil {
			t.Fatal(err)
		}
		return s.Health.Queue.Unrouted
	}
	eventually(t, 10*time.Second, "readings go to nobody", func() bool { s, err := g.ask(); return err == nil && s.Health.Queue.Unrouted > 20 })
	m.client("mosquitto_pub", "-q", "1", "-t", "fieldgate/gw/cmd/flush", "-m", `{"id":"f1"}`)
	published := regexp.MustCompile(`Received PUBLISH from gw \(d0, q1, r0, m(\d+), 'fieldgate/gw/events/loss'`)
	eventually(t, 15*time.Second, "the loss event goes to nobody", func() bool {
		log := m.log.String()
		at := published.FindStringSubmatchIndex(log)
		return at != nil && strings.Contains(log[at[1]:], "Sending PUBACK to gw (m"+log[at[2]:at[3]]+", rc16)")
	})

	defer writeDown(t, m, file)()
	eventually(t, 10*time.Second, "the loss event is told again", func() bool { return heard("events/loss") > 0 })
	lost := unrouted()
	if code := g.stop(); code != exitDone {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	g.running()
	now, err := g.ask()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 15*time.Second, "the second run reports the rest", func() bool { return heard(`"run\":\"`+now.Health.Run) > 20 && heard("events/loss") > 1 })

	text, code := g.command("verify", file)
	if code != exitDone || !strings.Contains(text, "\nCOMPLETE: ") {
		t.Errorf("exit code %d\n%s", code, text)
	}
	out, err := exec.Command(needBinary(t), "verify", "--json", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	var r verify.Report
	if err := json.NewDecoder(bytes.NewReader(out)).Decode(&r); err != nil {
		t.Fatal(err)
	}
	first := r.Sequences[0]
	if first.End != "clean" || first.Lost != lost || lost < 20 || first.Received+first.Lost != first.Last || len(first.Missing) > 0 {
		t.Errorf("%d readings went to nobody: %+v", lost, first)
	}
}

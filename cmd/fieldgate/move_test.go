package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/internal/verify"
)

// elsewhere makes the gateway see another machine id: it runs in a mount namespace of its own.
func (g *gatewayRig) elsewhere(id string) {
	g.t.Helper()
	file, script := g.path("other-machine-id"), filepath.Join(g.t.TempDir(), "fieldgate")
	if err := os.WriteFile(file, []byte(id+"\n"), 0o644); err != nil {
		g.t.Fatal(err)
	}
	text := "#!/bin/sh\nexec unshare --map-root-user --mount sh -c 'mount --bind \"$0\" /etc/machine-id && exec \"$@\"' " + file + " " + g.binary + " \"$@\"\n"
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		g.t.Fatal(err)
	}
	if out, err := exec.Command(script, "version").CombinedOutput(); err != nil {
		g.t.Skipf("another machine id needs namespaces and a /etc/machine-id: %v: %s", err, out)
	}
	g.binary = script
}

// TestMoveToAnotherCard walks the way of docs/operations.md: what waited on the old card arrives
// from the new one, on another machine, and nothing is missing.
func TestMoveToAnotherCard(t *testing.T) {
	t.Parallel()
	card := newGateway(t, "", "")
	card.elsewhere("0123456789abcdef0123456789abcdef")
	m := newMosquitto(t)
	w := newWitness(t, m.url())
	old := newGateway(t, m.url(), fastSensor)
	old.running()
	eventually(t, 10*time.Second, "readings arrive", func() bool { return received(w.report(t)) > 100 })
	old.stop()
	old.configure("mqtt://127.0.0.1:1", fastSensor) // an outage
	old.running()
	eventually(t, 10*time.Second, "readings wait", func() bool {
		s, err := old.ask()
		return err == nil && s.Health.Queue.Live+s.Health.Queue.Backlog > 200
	})
	before, err := old.ask()
	if err != nil {
		t.Fatal(err)
	}
	if code := old.stop(); code != exitDone {
		t.Fatalf("exit code %d", code)
	}

	packed := filepath.Join(t.TempDir(), "gateway.tar.gz")
	for _, args := range [][]string{{"-C", old.dir, "-czf", packed, "."}, {"-C", card.dir, "-xzpf", packed}} {
		if out, err := exec.Command("tar", args...).CombinedOutput(); err != nil {
			t.Fatalf("tar %v: %v\n%s", args, err, out)
		}
	}
	card.configure(m.url(), fastSensor)
	card.running()
	waited := before.Health.Run
	eventually(t, 20*time.Second, "what waited has arrived, and nothing is missing", func() bool {
		r := w.report(t)
		for _, s := range r.Sequences {
			if s.Run == waited && s.End == "clean" && s.Received > 200 && len(s.Missing) == 0 {
				return r.Verdict == verify.Complete
			}
		}
		return false
	})
	after, err := card.ask()
	if err != nil {
		t.Fatal(err)
	}
	if after.Health.Store == before.Health.Store || after.Health.Boot != before.Health.Boot+1 || !strings.Contains(card.log.String(), "store was made on another machine") {
		t.Errorf("store %s, start %d before; %s, %d after", before.Health.Store, before.Health.Boot, after.Health.Store, after.Health.Boot)
	}
	if code := card.stop(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	var text strings.Builder
	r := w.report(t)
	_ = r.Print(&text)
	for _, s := range r.Sequences {
		if s.Duplicates > 0 || s.Reused > 0 {
			t.Errorf("%+v", s)
		}
	}
	t.Log(text.String())
}

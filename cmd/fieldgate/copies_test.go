package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fieldgate/fieldgate/internal/verify"
)

// copyStore copies the store of a gateway that is stopped.
func copyStore(t testing.TB, from, to string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(from + suffix)
		if err == nil {
			err = os.WriteFile(to+suffix, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

const fastSensor = "[[sensor]]\nname = \"fast\"\ndriver = \"sim\"\nevery = \"5ms\"\n"

// report returns what a witness has so far.
func (w *witness) report(t *testing.T) verify.Report {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed != nil {
		t.Fatal(w.failed)
	}
	return w.tracker.Report()
}

func received(r verify.Report) (n uint64) {
	for _, s := range r.Sequences {
		n += s.Received
	}
	return n
}

// TestOlderCopyPutBack: a store is copied after the first run and put back after the second. No
// identity comes twice with another time, and verify says that an older copy was put back.
func TestOlderCopyPutBack(t *testing.T) {
	m := newMosquitto(t)
	w := newWitness(t, m.url())
	g := newGateway(t, m.url(), fastSensor)
	var runs []string
	run := func() {
		t.Helper()
		g.running()
		before := received(w.report(t))
		eventually(t, 10*time.Second, "readings arrive", func() bool { return received(w.report(t)) > before+100 })
		s, err := g.ask()
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, s.Health.Run)
		if code := g.stop(); code != exitDone {
			t.Fatalf("exit code %d", code)
		}
	}
	run()
	copyStore(t, g.path("queue.db"), g.path("image"))
	run()
	copyStore(t, g.path("image"), g.path("queue.db"))
	run()
	r := w.report(t)
	var text strings.Builder
	if err := r.Print(&text); err != nil {
		t.Fatal(err)
	}
	unreported, copies := "", ""
	for _, gap := range r.Gaps {
		if gap.Unreported {
			unreported += gap.Run
		}
		if gap.Copies != nil {
			copies += gap.Run
		}
	}
	if r.Verdict != verify.Incomplete || unreported != runs[1] || copies != runs[0] || !strings.Contains(text.String(), "an older copy of the store was restored") {
		t.Errorf("untold %s, copies of %s, runs %v\n%s", unreported, copies, runs, &text)
	}
	for _, s := range r.Sequences {
		if s.Reused > 0 || s.Duplicates > 0 || len(s.Missing) > 0 {
			t.Errorf("%+v", s)
		}
	}
}

// TestTwoCopiesAtOnce: two gateways run with copies of one store and one id. No identity comes
// twice with another time.
func TestTwoCopiesAtOnce(t *testing.T) {
	m := newMosquitto(t)
	w := newWitness(t, m.url())
	one, two := newGateway(t, m.url(), fastSensor), newGateway(t, m.url(), fastSensor)
	one.running()
	eventually(t, 10*time.Second, "readings arrive", func() bool { return received(w.report(t)) > 50 })
	one.stop()
	copyStore(t, one.path("queue.db"), two.path("queue.db"))
	two.mqtt("client_id = \"gw-copy\"") // else they push each other off the broker
	one.running()
	two.running()
	before := received(w.report(t))
	eventually(t, 15*time.Second, "readings of both arrive", func() bool {
		r := w.report(t)
		live := 0
		for _, s := range r.Sequences {
			if s.End == "" && s.Received > 50 {
				live++
			}
		}
		return live == 2 && received(r) > before+200
	})
	one.stop()
	two.stop()
	r := w.report(t)
	for _, s := range r.Sequences {
		if s.Reused > 0 || len(s.Missing) > 0 {
			t.Errorf("%+v", s)
		}
	}
	if r.Verdict != verify.Incomplete || len(r.Sequences) != 3 {
		t.Errorf("%s: %+v", r.Verdict, r.Gaps)
	}
}

// TestReadOnlyCard: a card that is read-only when the gateway starts. Readings arrive, degraded
// says why; when the card can be written the gateway goes on with its store, and nothing is
// missing.
func TestReadOnlyCard(t *testing.T) {
	m := newMosquitto(t)
	w := newWitness(t, m.url())
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=128m"); err != nil {
		t.Skipf("mounting a tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	readOnly := func(flags uintptr) {
		t.Helper()
		if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT|flags, "size=128m"); err != nil {
			t.Fatal(err)
		}
	}
	g := newGateway(t, m.url(), fmt.Sprintf("[buffer]\npath = %q\nmin_free = \"1MiB\"\n", dir+"/queue.db")+fastSensor)
	arrive := func() {
		t.Helper()
		before := received(w.report(t))
		eventually(t, 15*time.Second, "readings arrive", func() bool { return received(w.report(t)) > before+100 })
	}
	g.running()
	arrive()
	g.stop()
	readOnly(unix.MS_RDONLY)
	g.running()
	arrive()
	s, err := g.ask()
	if err != nil || s.Health.State != "degraded" || s.Health.Store != "" || s.Health.Run == "" || !strings.Contains(strings.Join(s.Health.Reasons, "\n"), "read-only") {
		t.Errorf("%+v, %v", s.Health, err)
	}
	readOnly(0)
	eventually(t, 90*time.Second, "the gateway has begun anew with the store", func() bool {
		now, err := g.ask()
		return err == nil && now.Health.Run != s.Health.Run && now.Health.Store != "" && now.Health.State == "ok"
	})
	arrive()
	if code := g.stop(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	g.running() // it reports how the last run ended
	defer func() {
		var text strings.Builder
		_ = w.report(t).Print(&text)
		t.Log(text.String())
	}()
	eventually(t, 15*time.Second, "the proof is complete", func() bool { return w.report(t).Verdict == verify.Complete })
	if r := w.report(t); len(r.Sequences) < 3 {
		t.Errorf("%d sequences", len(r.Sequences))
	}
}

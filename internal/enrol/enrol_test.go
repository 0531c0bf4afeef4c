package enrol

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestPowerCuts cuts the power, and kills the program, at each of its steps, and again at each step
// of the start after that. One certificate is active and one thing is registered in the end; a
// second certificate is made only if the first one was signed and is not on the card.
func TestPowerCuts(t *testing.T) {
	whole := newWorld()
	whole.start(t, 0)
	whole.check(t, "without a cut", 1)
	total := whole.ops
	if total < 25 {
		t.Fatalf("only %d steps", total)
	}
	runs := 0
	for mode := range 3 { // what was not synced is lost; is there; is torn
		for first := 1; first <= total; first++ {
			for second := 0; second <= total; second++ {
				w := newWorld()
				made := 1
				for _, at := range []int{first, second} {
					if at == 0 {
						continue
					}
					before := w.made
					w.torn = mode == 2
					cut := w.start(t, at)
					w.boot(mode == 1)
					if cut && w.made > before && !w.signedOnCard() {
						made++
					}
				}
				w.start(t, 0)
				w.boot(false)
				w.check(t, fmt.Sprintf("mode %d, cuts at %d and %d of %d", mode, first, second, total), made)
				if runs++; t.Failed() {
					return
				}
			}
		}
	}
	t.Logf("%d steps, %d runs", total, runs)
}

// TestTokenLivedOut: the first certificate is given up after an hour, whether the clock says that
// or the platform, and the log names it if it may be active.
func TestTokenLivedOut(t *testing.T) {
	for _, v := range []struct {
		name   string
		asked  bool // before the power was cut
		change func(w *world, s *state)
		says   string
	}{
		{"by the clock of this boot", false, func(_ *world, s *state) { s.SignedAt.Up = -time.Hour }, "the platform deletes it"},
		{"by the wall clock", false, func(_ *world, s *state) { s.SignedAt.Boot, s.SignedAt.Wall = "before", time.Now().Add(-time.Hour) }, "the platform deletes it"},
		{"by the platform, on a board without a clock", false, func(w *world, s *state) {
			s.SignedAt.Boot, s.SignedAt.Wall = "before", time.Now().Add(time.Hour)
			clear(w.tokens)
		}, "the platform deletes it"},
		{"after it was used", true, func(*world, *state) {}, "deactivate and delete it there"},
	} {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld()
			w.oneUse = true
			asked := false
			for at := 1; !asked; at++ { // until the power is cut between the signature and the answer to the registration
				w = newWorld()
				w.oneUse = true
				w.start(t, at)
				w.boot(true)
				asked = strings.Contains(w.card[dir+"/state.json"], `"signed"`) && (!v.asked || w.registered == 1)
			}
			var s state
			if err := json.Unmarshal([]byte(w.card[dir+"/state.json"]), &s); err != nil {
				t.Fatal(err)
			}
			v.change(w, &s)
			text, _ := json.Marshal(s)
			w.card[dir+"/state.json"], w.cache[dir+"/state.json"] = string(text), string(text)
			var log strings.Builder
			if err := w.enrolment(slog.New(slog.NewTextHandler(&log, nil))).Attempt(t.Context()); err != nil {
				t.Fatal(err)
			}
			if w.made != 2 || len(w.things) != 1 || w.things["gw-17"] != "certificate-2" || !strings.Contains(log.String(), v.says) || !strings.Contains(log.String(), "certificate-1") {
				t.Errorf("%d certificates, things %v\n%s", w.made, w.things, &log)
			}
		})
	}
}

// TestFaults: each ends the attempt with one sentence and the remedy, and the next one goes on
// where it was, without a second certificate.
func TestFaults(t *testing.T) {
	rejected := &Fault{What: "rejected", Remedy: "correct it"}
	for _, v := range []struct {
		name   string
		break_ func(w *world)
		mend   func(w *world)
		says   string
		passes bool
		made   int
	}{
		{"certificate refused", func(w *world) { w.trouble = []error{rejected} }, nil, "rejected: correct it", false, 1},
		{"no room before", func(w *world) { w.failAt["create room"] = syscall.ENOSPC }, func(w *world) { clear(w.failAt) }, "make room (df -h /state), it goes on by itself", true, 1},
		{"no room after the signature", func(w *world) { w.failAt["create state.json.new"] = syscall.ENOSPC }, func(w *world) { clear(w.failAt) }, "make room", true, 1},
		{"card read-only", func(w *world) { w.failAt["create device.key.new"] = syscall.EROFS }, func(w *world) { clear(w.failAt) }, "check the card", true, 1},
		{"registration refused", func(w *world) { w.trouble = []error{nil, rejected} }, nil, "rejected: correct it", false, 1},
		{"no room after the registration", func(w *world) { w.fills = true }, func(w *world) { clear(w.failAt) }, "make room", true, 1},
		{"what the template gives is wrong", func(w *world) { w.prefix = "bad/#" }, func(w *world) { w.prefix = "plant7" }, "correct the template's deviceConfiguration", false, 1},
		{"key half written", func(w *world) { w.cache[dir+"/device.key"] = "-----BEGIN PRIV" }, nil, "", false, 1},
		{"state half written", func(w *world) { w.cache[dir+"/state.json"] = `{"step":"sig` }, func(w *world) { delete(w.cache, dir+"/state.json") }, "sudo rm -r /state/enrolled", false, 1},
		{"state of another version", func(w *world) { w.cache[dir+"/state.json"] = `{"step":"later"}` }, func(w *world) { delete(w.cache, dir+"/state.json") }, `there is no step "later"`, false, 1},
		{"claim that may not be deleted", func(w *world) { w.failAt["remove claim.key"] = syscall.EROFS }, nil, "", false, 1},
	} {
		t.Run(v.name, func(t *testing.T) {
			w := newWorld()
			v.break_(w)
			e := w.enrolment(slog.New(slog.DiscardHandler))
			err := e.Attempt(t.Context())
			if v.says == "" {
				if err != nil {
					t.Fatal(err)
				}
			} else if err == nil || !strings.Contains(err.Error(), v.says) || Passes(err) != v.passes {
				t.Fatalf("want %q, got %v (passes: %v)", v.says, err, Passes(err))
			}
			if strings.HasPrefix(v.name, "no room after") { // what exists at the platform is kept first
				registered := w.registered
				if err := e.Attempt(t.Context()); err == nil || w.registered != registered || w.tried != 0 {
					t.Fatalf("with a full card still: %v, registered %d, tried %d", err, w.registered, w.tried)
				}
			}
			if v.mend != nil {
				v.mend(w)
			}
			if err := e.Attempt(t.Context()); err != nil {
				t.Fatal(err)
			}
			if w.made != v.made || len(w.active) != 1 || w.card[claimCert] != "" {
				t.Errorf("%d certificates, %d active, claim %q", w.made, len(w.active), w.card[claimCert])
			}
		})
	}
}

// TestLostKey: a key that is gone after its certificate was signed is not replaced.
func TestLostKey(t *testing.T) {
	w := newWorld()
	w.trouble = []error{nil, &Fault{What: "no"}}
	if err := w.enrolment(slog.New(slog.DiscardHandler)).Attempt(t.Context()); err == nil {
		t.Fatal("it was refused")
	}
	delete(w.cache, dir+"/device.key")
	delete(w.cache, dir+"/device.pem")
	err := w.enrolment(slog.New(slog.DiscardHandler)).Attempt(t.Context())
	if err == nil || !strings.Contains(err.Error(), "delete the gateway's certificate at the platform") || w.made != 1 {
		t.Errorf("%v, %d certificates", err, w.made)
	}
}

// TestRun tries again what passes soon, and what somebody has to mend seldom, and logs a change
// only.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		passes, stays := &Fault{What: "busy", Passes: true}, &Fault{What: "no template"}
		w.trouble = []error{passes, passes, passes, stays, stays, passes}
		var log strings.Builder
		begin := time.Now()
		if err := w.enrolment(slog.New(slog.NewTextHandler(&log, nil))).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		took := time.Since(begin)
		if took < 15*time.Minute || took > 31*time.Minute || strings.Count(log.String(), "not enrolled yet") != 3 || w.made != 1 {
			t.Errorf("after %v, %d certificates\n%s", took, w.made, &log)
		}
	})
}

func TestRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.cache[claimKey] = ""
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := w.enrolment(slog.New(slog.DiscardHandler)).Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

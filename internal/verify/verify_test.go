package verify

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestRangesAgainstASet adds random runs and compares with a plain set of numbers.
func TestRangesAgainstASet(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var s ranges
		set := map[uint64]bool{}
		for range 20 {
			first := 1 + rng.Uint64N(60)
			last := first + rng.Uint64N(8)
			again := uint64(0)
			for n := first; n <= last; n++ {
				if set[n] {
					again++
				}
				set[n] = true
			}
			if got := s.add(first, last); got != again {
				t.Fatalf("add(%d,%d) on %v: want %d again, got %d", first, last, s, again, got)
			}
		}
		if got := s.count(); got != uint64(len(set)) {
			t.Fatalf("want %d numbers, got %d in %v", len(set), got, s)
		}
		missing := map[uint64]bool{}
		for _, h := range s.holes(70) {
			for n := h.First; n <= h.Last; n++ {
				missing[n] = true
			}
		}
		for n := uint64(1); n <= 70; n++ {
			if set[n] == missing[n] {
				t.Fatalf("%d: in the set %v, in a hole %v; %v", n, set[n], missing[n], s)
			}
		}
	}
}

func readings(run int, late bool, seqs ...int) (topic, payload string) {
	topic = "fieldgate/g/telemetry/s"
	if late {
		topic += "/late"
	}
	payload = fmt.Sprintf(`{"v":1,"gateway":"g","run":"r%d","sensor":"s","readings":[`, run)
	for i, s := range seqs {
		if i > 0 {
			payload += ","
		}
		payload += fmt.Sprintf(`{"seq":%d,"ts":null,"up":1,"fields":{}}`, s)
	}
	return topic, payload + "]}"
}

func TestTracker(t *testing.T) {
	bootEvent := func(end string, last int) [2]string {
		return [2]string{"fieldgate/g/events/boot", fmt.Sprintf(
			`{"v":1,"gateway":"g","run":"r2","n":1,"ts":null,"up":1,"version":"t","previous":{"run":"r1","gateway":"g","end":%q,"last":{"s":%d}}}`, end, last)}
	}
	loss := [2]string{"fieldgate/g/events/loss",
		`{"v":1,"gateway":"g","run":"r2","n":2,"ts":null,"up":1,"loss":[{"run":"","sensor":"","first":0,"last":0,"count":0,"reason":"corrupt"},{"run":"r1","sensor":"s","first":3,"last":4,"count":2,"reason":"evicted"}]}`}
	message := func(late bool, seqs ...int) [2]string {
		topic, payload := readings(1, late, seqs...)
		return [2]string{topic, payload}
	}
	for _, tt := range []struct {
		name     string
		messages [][2]string
		want     Result
	}{
		{"hole", [][2]string{message(false, 1, 2, 5)},
			Result{Received: 3, Last: 5, Missing: []Range{{3, 4}}}},
		{"hole at the end, seen by the clean end", [][2]string{message(false, 1, 2), bootEvent("clean", 4)},
			Result{Received: 2, Last: 4, Missing: []Range{{3, 4}}, End: "clean"}},
		{"nothing arrived of a run that ended clean", [][2]string{bootEvent("clean", 2)},
			Result{Last: 2, Missing: []Range{{1, 2}}, End: "clean"}},
		{"out of order within a lane", [][2]string{message(false, 1, 3), message(false, 2)},
			Result{Received: 3, Last: 3, Disorder: 1}},
		{"OK hole in the ledger", [][2]string{message(false, 1, 2, 5), loss},
			Result{Received: 3, Last: 5, Lost: 2}},
		{"OK ledger that is beaten by what arrived", [][2]string{message(false, 1, 2, 3, 4, 5), loss},
			Result{Received: 5, Last: 5}},
		{"OK hole that nobody had subscribed for, but for one that arrived", [][2]string{message(false, 1, 2, 4, 7), {"fieldgate/g/events/loss",
			`{"gateway":"g","run":"r1","n":2,"loss":[{"run":"r1","sensor":"s","first":3,"last":6,"count":4,"reason":"unrouted"}]}`}},
			Result{Received: 4, Last: 7, Lost: 3}},
		{"OK late after live, duplicates", [][2]string{message(false, 4, 5), message(true, 1, 2, 3), message(true, 2)},
			Result{Received: 5, Last: 5, Duplicates: 1}},
		{"OK unclean end, more arrived than was durable", [][2]string{message(false, 1, 2, 3), bootEvent("unclean", 2)},
			Result{Received: 3, Last: 3, End: "unclean"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr := New()
			for _, m := range tt.messages {
				if err := tr.Message(m[0], []byte(m[1])); err != nil {
					t.Fatal(err)
				}
			}
			got := tr.Results()
			tt.want.Key = Key{"g", "r1", "s"}
			if len(got) != 1 || fmt.Sprint(got[0]) != fmt.Sprint(tt.want) || !slices.Equal(got[0].Missing, tt.want.Missing) {
				t.Errorf("want %+v\n got %+v", tt.want, got)
			}
		})
	}
}

// A run of which only P/status was heard exists, also if that says that it sleeps.
func TestARunThatSleepsExists(t *testing.T) {
	for _, state := range []string{"online", "sleeping"} {
		tr := New()
		for _, m := range [][2]string{
			{"f/g/status", `{"v":1,"state":"` + state + `","run":"a"}`},
			{"f/g/telemetry/s", `{"v":1,"gateway":"g","run":"b","sensor":"s","readings":[{"seq":1}]}`},
		} {
			if err := tr.Message(m[0], []byte(m[1])); err != nil {
				t.Fatal(err)
			}
		}
		if gaps := tr.Gaps(); len(gaps) != 2 || gaps[0].Run != "a" || !gaps[0].Unreported {
			t.Errorf("%s: %+v", state, gaps)
		}
		if silent := tr.Silent(); len(silent) != 0 {
			t.Errorf("%s: %+v", state, silent)
		}
	}
}

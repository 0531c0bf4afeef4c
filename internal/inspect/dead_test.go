package inspect

import (
	"slices"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/internal/contract"
)

// Every dead letter is listed, whatever is in it: the list is how the operator gets at the ids.
func TestDeadLetters(t *testing.T) {
	r := newRig(t)
	r.append(buffer.Events, "replies", 0, []byte(`{"id":"1"}`))
	r.malform("hall")
	r.measure("roof", time.Second, -4)
	r.refuse("refused with reason code 0x99")
	lines, ids := r.dead()
	slices.Sort(lines) // events and readings are numbered by when they were refused
	same(t, lines, []string{
		`refused with reason code 0x99: {"bytes":10,"event":"replies"}`,
		`refused with reason code 0x99: {"bytes":6,"run":"RUN","sensor":"hall","seq":1}`,
		"refused with reason code 0x99: " + document("roof", `"seq":1,"ts":"2026-11-20T12:00:01.000Z"`, `{"temperature":-4}`),
	})
	if s := r.stats(); s.Dead != 3 || s.Readings+s.Events != 0 || s.Losses == 0 {
		t.Errorf("stats: %+v", s)
	}
	all, err := r.DeadLetters(t.Context(), 0, 100)
	if err != nil || len(all) != 3 {
		t.Errorf("all at once: %d, %v", len(all), err)
	}
	if rest, err := r.DeadLetters(t.Context(), ids[2], 100); err != nil || len(rest) != 0 {
		t.Errorf("after the last: %v, %v", rest, err)
	}
}

// A dead letter that is tried again is the reading that it was; one that is dropped is gone; ids
// that are not there count for nothing.
func TestRetryAndDropDead(t *testing.T) {
	type ids = []int64
	type choice = contract.DeadChoice
	for _, tt := range []struct {
		name        string
		choose      func(ids) choice
		retry, drop int // how many either takes
	}{
		{"all", func(ids) choice { return choice{All: true} }, 3, 3},
		{"none", func(ids) choice { return choice{} }, 0, 0},
		{"one", func(all ids) choice { return choice{IDs: all[1:2]} }, 1, 1},
		{"two of them, in any order", func(all ids) choice { return choice{IDs: ids{all[2], all[0]}} }, 2, 2},
		{"one, named twice", func(all ids) choice { return choice{IDs: ids{all[0], all[0]}} }, 1, 1},
		{"one that is not there", func(all ids) choice { return choice{IDs: ids{all[2] + 1}} }, 0, 0},
		{"numbers that cannot be", func(ids) choice { return choice{IDs: ids{0, -1, -1 << 63, 1<<63 - 1}} }, 0, 0},
		{"one and one that is not there", func(all ids) choice { return choice{IDs: ids{all[2] + 1, all[1]}} }, 1, 1},
	} {
		for _, retry := range []bool{true, false} {
			name := map[bool]string{true: "retry ", false: "drop "}[retry] + tt.name
			t.Run(name, func(t *testing.T) {
				r := newRig(t)
				for i := range 3 {
					r.measure("hall", time.Duration(i)*time.Second, float64(i))
				}
				before := r.export()
				r.refuse("refused with reason code 0x90")
				_, all := r.dead()
				do, want := r.DropDead, tt.drop
				if retry {
					do, want = r.RetryDead, tt.retry
				}
				n, err := do(t.Context(), tt.choose(all))
				if err != nil || n != want {
					t.Fatalf("want %d, got %d, %v", want, n, err)
				}
				waits := 0
				if retry {
					waits = want
				}
				s, exported := r.stats(), r.export()
				if s.Dead != int64(3-want) || s.Readings != int64(waits) || len(exported) != waits {
					t.Errorf("%d dead, %d waiting, %d exported", s.Dead, s.Readings, len(exported))
				}
				for _, line := range exported {
					if !slices.Contains(before, line) {
						t.Errorf("it came back as another one: %s", line)
					}
				}
				if _, left := r.dead(); len(left) != 3-want {
					t.Errorf("left are %v", left)
				}
			})
		}
	}
}

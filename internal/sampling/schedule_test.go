package sampling

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestAlign(t *testing.T) {
	at := func(s string) time.Time {
		wall, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return wall
	}
	tests := []struct {
		name  string
		every time.Duration
		wall  time.Time
		want  time.Duration // from now
	}{
		{"without pause", 0, at("2026-01-01T00:00:00.3Z"), 0},
		{"seconds", time.Second, at("2026-01-01T00:00:00.3Z"), 700 * time.Millisecond},
		{"ten seconds", 10 * time.Second, at("2026-01-01T00:00:01Z"), 9 * time.Second},
		{"exactly now is the next one", time.Minute, at("2026-01-01T00:01:00Z"), time.Minute},
		{"an hour, in another zone", time.Hour, at("2026-01-01T05:31:00+05:30"), 59 * time.Minute},
		{"a day", 24 * time.Hour, at("2026-01-01T23:00:00Z"), time.Hour},
		{"clock not set", 10 * time.Second, at("1970-01-01T00:00:03Z"), 7 * time.Second},
		{"before 1970", 10 * time.Second, at("1969-12-31T23:59:58Z"), 2 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			const up = 12345 * time.Millisecond
			s := align(test.every, up, test.wall)
			if got := s.next - up; got != test.want {
				t.Errorf("want the first reading in %v, got %v", test.want, got)
			}
		})
	}
}

// Whatever the delays are: each multiple is read once or missed once, readings stay on the
// multiples, and the backlog is bounded.
func TestScheduleLosesAndInventsNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, every := range []time.Duration{10 * time.Microsecond, 700 * time.Microsecond, time.Millisecond, 4 * time.Millisecond, 5 * time.Millisecond, time.Second} {
		t.Run(every.String(), func(t *testing.T) {
			start := every
			s, done, missed := schedule{every: every, next: start}, uint64(0), uint64(0)
			now := time.Duration(0)
			for range 10_000 {
				now = max(now, s.wake())
				if random.IntN(20) == 0 {
					now += time.Duration(random.Int64N(int64(10*every + 80*time.Millisecond)))
				}
				n, m := s.due(now)
				if n == 0 {
					t.Fatalf("at %v: nothing is due at the time to wake, %v", now, s.wake())
				}
				if n > 1 && time.Duration(n)*every > catchUp {
					t.Fatalf("%d readings at once are more than %v", n, catchUp)
				}
				if every < tick && s.wake() < now+tick-every {
					t.Fatalf("at %v: wakes up again at %v already", now, s.wake())
				}
				done, missed = done+uint64(n), missed+m
				if random.IntN(20) == 0 {
					now += time.Duration(random.Int64N(int64(3 * every)))
				}
				missed += s.skip(now)
				if (s.next-start)%every != 0 {
					t.Fatalf("at %v: the next reading is at %v, beside the multiples", now, s.next)
				}
				if got, want := done+missed, uint64((s.next-start)/every); got != want {
					t.Fatalf("at %v: %d done and %d missed of %d", now, done, missed, want)
				}
			}
		})
	}
}

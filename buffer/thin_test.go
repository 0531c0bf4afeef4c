package buffer

import (
	"encoding/binary"
	"path/filepath"
	"testing"
	"time"
)

// sum thins bodies that are a number: a bucket holds their sum. Buckets of a level are ten times as
// long as those of the level before.
func sum(level int, in []Record) (out []Record) {
	period := uint64(10)
	for range level - 1 {
		period *= 10
	}
	open := map[string]int{}
	for _, r := range in {
		i, ok := open[r.Stream]
		if ok && max(out[i].Seq, out[i].SeqTo)+1 == r.Seq && out[i].Seq/period == r.Seq/period {
			b := &out[i]
			b.SeqTo, b.UpTo = max(r.Seq, r.SeqTo), max(r.Up, r.UpTo)
			total := binary.LittleEndian.Uint64(b.Body) + binary.LittleEndian.Uint64(r.Body)
			b.Body = append([]byte(nil), b.Body...)
			binary.LittleEndian.PutUint64(b.Body, total)
			continue
		}
		open[r.Stream] = len(out)
		out = append(out, r)
	}
	return out
}

// What a bucket stands for adds up to what was appended, and what is neither in one nor left is in
// the ledger.
func TestThin(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	o := Options{MaxBytes: MinMaxBytes, MaxLoss: time.Hour, WhenFull: Thin, Thin: sum}
	s := openAt(t, path, o)
	const n = 6000
	var inFlight []Record
	for i := range n {
		body := append(binary.LittleEndian.AppendUint64(nil, uint64(i+1)), noise(i, 1000)...)
		if _, err := s.Append(t.Context(), Readings, []string{"a", "b"}[i%2], time.Duration(i)*time.Second, body); err != nil {
			t.Fatal(err)
		}
		if i%5 == 0 {
			if err := s.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if i == 1000 {
			inFlight = s.Take(BacklogLane, 3, 1<<20)
			inFlight = append(inFlight, s.Take(LiveLane, 3, 1<<20)...)
		}
		if st := s.Stats(); st.Bytes > st.MaxBytes {
			t.Fatalf("%d bytes, at most %d", st.Bytes, st.MaxBytes)
		}
	}
	st := s.Stats()
	if st.Thinned == 0 || st.Evicted != 0 || st.Degraded != nil || len(inFlight) == 0 {
		t.Fatalf("stats %+v", st)
	}
	s.Release(inFlight)
	closeStore(t, s)
	s = openAt(t, path, o)
	defer closeStore(t, s)

	thinned := map[ref]bool{}
	for l := s.TakeLosses(500); len(l) > 0; l = s.TakeLosses(500) {
		for _, e := range l {
			if e.Reason != reasonThinned || e.Count != e.Last-e.First+1 {
				t.Fatalf("loss %+v", e)
			}
			for seq := e.First; seq <= e.Last; seq++ {
				r := ref{e.Kind, e.Stream, e.Run, seq}
				if thinned[r] {
					t.Fatalf("%+v thinned twice", r)
				}
				thinned[r] = true
			}
		}
		s.AckLosses(l)
	}
	if int(st.Thinned) != len(thinned) {
		t.Errorf("%d thinned, %d in the ledger", st.Thinned, len(thinned))
	}
	var total uint64
	records, buckets := 0, 0
	next := map[string]uint64{"a": 1, "b": 1}
	lengths := map[uint64]int{}
	for {
		r := s.Take(BacklogLane, 100, 1<<20)
		if len(r) == 0 {
			break
		}
		for _, x := range r {
			records++
			if x.Seq != next[x.Stream] {
				t.Fatalf("got %s %d to %d, want %d", x.Stream, x.Seq, x.SeqTo, next[x.Stream])
			}
			next[x.Stream] = max(x.Seq, x.SeqTo) + 1
			total += binary.LittleEndian.Uint64(x.Body)
			if x.SeqTo > 0 {
				buckets++
				lengths[x.SeqTo-x.Seq+1]++
				if want := time.Duration(x.SeqTo-x.Seq) * 2 * time.Second; x.UpTo-x.Up != want {
					t.Errorf("%s %d to %d lasts %v, want %v", x.Stream, x.Seq, x.SeqTo, x.UpTo-x.Up, want)
				}
			}
			for seq := x.Seq; seq <= max(x.Seq, x.SeqTo); seq++ {
				if thinned[ref{Readings, x.Stream, x.Run, seq}] != (x.SeqTo > 0) {
					t.Fatalf("%s %d of %d to %d: in the ledger is %v", x.Stream, seq, x.Seq, x.SeqTo, x.SeqTo == 0)
				}
			}
		}
		s.Ack(r)
	}
	if total != n*(n+1)/2 || next["a"] != n/2+1 || next["b"] != n/2+1 {
		t.Errorf("sum %d, want %d; next %v", total, n*(n+1)/2, next)
	}
	t.Logf("%d readings became %d records, %d of them buckets of %v", n, records, buckets, lengths)
}

// A commit that fails and is repeated thins what it would have thinned.
func TestThinAgain(t *testing.T) {
	run := func(every int) (thinned, evicted uint64) {
		s := newStore(t, Options{MaxBytes: MinMaxBytes, MaxLoss: time.Hour, WhenFull: Thin, Thin: sum})
		for i := range 2000 {
			flushed(t, s, append(binary.LittleEndian.AppendUint64(nil, 1), noise(i, 1000)...))
			if every == 0 || i%every > 0 {
				continue
			}
			err := s.submit(t.Context(), &job{read: func(c *committer) error {
				fails := 1
				c.db.conn.RegisterCommitHook(func() int { fails--; return fails + 1 })
				return nil
			}})
			if err != nil {
				t.Fatal(err)
			}
		}
		return s.Stats().Thinned, s.Stats().Evicted
	}
	thinned, evicted := run(0)
	if again, more := run(7); again != thinned || more != evicted || thinned == 0 {
		t.Errorf("%d thinned and %d removed, want %d and %d", again, more, thinned, evicted)
	}
}

// A function that breaks its promise costs room, not readings that are not in the ledger.
func TestThinWrong(t *testing.T) {
	for name, thin := range map[string]func(int, []Record) []Record{
		"nothing":   func(int, []Record) []Record { return nil },
		"one":       func(_ int, r []Record) []Record { return r[:1] },
		"the same":  func(_ int, r []Record) []Record { return r },
		"strangers": func(_ int, r []Record) []Record { return []Record{{Stream: "a", Seq: 1, SeqTo: 1 << 40}} },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t, Options{MaxBytes: MinMaxBytes, MaxLoss: time.Hour, WhenFull: Thin, Thin: thin})
			const n = 1500
			for i := range n {
				if _, err := s.Append(t.Context(), Readings, "a", 0, noise(i, 1000)); err != nil {
					t.Fatal(err)
				}
				if i%10 == 0 {
					if err := s.Flush(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			}
			st := s.Stats()
			if st.Live+st.Backlog+int64(st.Evicted) != n || st.Evicted == 0 || st.Thinned != 0 || st.Degraded != nil {
				t.Errorf("stats %+v", st)
			}
			s.Split()
			if got := drained(t, s); got != n-int(st.Evicted) {
				t.Errorf("%d delivered, want %d", got, n-int(st.Evicted))
			}
		})
	}
}

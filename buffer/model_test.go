package buffer

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"
)

var modelSeeds = flag.Int("buffer.seeds", 40, "histories of the model test")

// A ref identifies a record.
type ref struct {
	kind   Kind
	stream string
	run    string
	seq    uint64
}

func refOf(r Record) ref { return ref{r.Kind, r.Stream, r.Run, r.Seq} }

func (a ref) less(b ref) bool {
	x, y := number(a.run), number(b.run)
	return x < y || x == y && a.seq < b.seq
}

// A model is what a store must be equal to: every record that was ever appended and what became of
// it.
type model struct {
	t         *testing.T
	rng       *rand.Rand
	o         Options
	path      string
	s         *Store
	bodies    map[ref][]byte
	durable   map[ref]bool // must survive a crash
	acked     map[ref]bool
	lost      map[ref]bool      // in the ledger
	gone      map[ref]bool      // not durable at a crash: may be missing
	thinned   map[ref]bool      // in the ledger as part of a bucket
	refused   map[ref]bool      // were dead letters
	nobody    map[ref]bool      // delivered to nobody; true: in the ledger
	retried   map[ref]bool      // and may come again, out of order
	old       map[ref]int       // above the time to live when appended: kernel boot
	kernel    int               // that runs now
	kernels   map[string]string // of the runs
	apart     map[string]bool   // streams of which a part was held
	crashes   int
	before    string            // the run that Previous is to report
	committed bool              // the last one has committed something
	held      [3][]Record       // taken, by queue
	passing   [3]map[Part]bool  // given to Hold, by queue
	earlier   [3]map[Part]bool  // and before that
	last      [3]map[string]ref // last taken of a stream, by queue
	seqs      map[string]uint64 // of this boot
}

func TestModel(t *testing.T) {
	seeds := *modelSeeds
	if testing.Short() {
		seeds = 10
	}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			runModel(t, seed)
		})
	}
}

func runModel(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	m := &model{t: t, rng: rng, path: filepath.Join(t.TempDir(), "queue.db"),
		bodies: map[ref][]byte{}, durable: map[ref]bool{}, acked: map[ref]bool{}, lost: map[ref]bool{}, gone: map[ref]bool{},
		thinned: map[ref]bool{}, refused: map[ref]bool{}, nobody: map[ref]bool{}, retried: map[ref]bool{}, old: map[ref]int{}, kernels: map[string]string{}}
	m.o = Options{
		MaxLoss:  []time.Duration{0, time.Millisecond, time.Hour}[rng.IntN(3)],
		MaxBytes: []int64{MinMaxBytes, 2 << 20, 64 << 20}[rng.IntN(3)],
		WhenFull: Policy(rng.IntN(3)),
		Thin:     modelThin,
		Streams:  map[string]StreamOptions{"sensor-0": {Priority: High}, "sensor-1": {Priority: Low}, "sensor-2": {TTL: time.Hour}},
		Log:      slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	m.open()
	crashy := rng.IntN(2) == 0
	for range 300 {
		m.step(crashy)
		if rng.IntN(10) == 0 {
			m.hold(Lane(rng.IntN(3)))
		}
		if t.Failed() {
			t.Fatalf("seed %d, options %+v", seed, m.o)
		}
	}
	m.drain()
}

// modelThin makes buckets of up to 4, 16 and 64 records, with the body of the first.
func modelThin(level int, in []Record) (out []Record) {
	open := map[string]int{}
	for _, r := range in {
		if i, ok := open[r.Stream]; ok && max(out[i].Seq, out[i].SeqTo)+1 == r.Seq && out[i].Seq>>(2*level) == r.Seq>>(2*level) {
			out[i].SeqTo, out[i].UpTo = max(r.Seq, r.SeqTo), max(r.Up, r.UpTo)
			continue
		}
		open[r.Stream] = len(out)
		out = append(out, r)
	}
	return out
}

// open begins a boot, now and then after another power-up: its clock begins at any time and knows
// nothing of the last one.
func (m *model) open() {
	if m.o.Up == nil || m.rng.IntN(2) == 0 {
		m.kernel++
		ahead := 3*time.Hour + time.Duration(m.rng.Int64N(1e15)) // readings are up to 2h old
		m.o.Up = func() time.Duration { return ahead + bootTime() }
		m.o.KernelBoot = fmt.Sprint("kernel ", m.kernel)
	}
	m.s = openAt(m.t, m.path, m.o)
	m.kernels[m.s.Run()] = m.o.KernelBoot
	m.apart = map[string]bool{}
	for lane := range Lane(3) {
		m.holdParts(lane, m.passing[lane])
	}
	m.seqs = map[string]uint64{}
	for i := range m.held {
		m.held[i] = nil
		m.last[i] = map[string]ref{}
	}
}

func (m *model) step(crashy bool) {
	ctx := context.Background()
	lane := Lane(m.rng.IntN(3))
	switch n := m.rng.IntN(100); {
	case n < 45:
		n := 30
		if m.o.MaxLoss == 0 {
			n = 5
		}
		for range 1 + m.rng.IntN(n) {
			m.append()
		}
	case n < 65:
		m.take(lane, 1+m.rng.IntN(60), 1+m.rng.IntN(60000))
	case n < 74:
		m.ack(lane)
	case n < 78:
		m.unroute(lane)
	case n < 84:
		r := m.held[lane]
		m.held[lane] = nil
		m.s.Release(r)
		m.last[lane] = map[string]ref{}
		m.last[BacklogLane] = map[string]ref{} // a Split may have made them backlog
	case n < 87:
		if r := m.held[lane]; len(r) > 0 {
			k := m.rng.IntN(len(r))
			if err := m.s.Refuse(ctx, r[k:k+1], "test"); err != nil {
				m.t.Errorf("refuse: %v", err)
				return
			}
			m.each(r[k], func(id ref) {
				m.acked[id] = true // must not come again, crash or not: see take
				m.refused[id] = true
				m.retried[id] = false
			})
			m.held[lane] = append(r[:k:k], r[k+1:]...)
		}
	case n < 88:
		m.dead()
	case n < 90:
		m.s.Split()
		m.last[LiveLane] = map[string]ref{}
	case n < 93:
		m.losses()
	case n < 96:
		m.flush()
	case n < 98:
		m.before, m.committed = m.s.Run(), true
		closeStore(m.t, m.s)
		m.open()
		m.ended(true)
	case crashy:
		run := m.s.Run()
		m.path, m.committed = crashOf(m.t, m.s, m.path)
		if m.committed {
			m.before = run
		}
		m.crashes++
		for r := range m.bodies {
			if !m.durable[r] {
				m.gone[r] = true
			}
		}
		m.open()
		m.ended(false)
	default: // the connection breaks: the next commit must make a new one
		err := m.s.submit(ctx, &job{read: func(c *committer) error { return c.db.close() }})
		if err != nil {
			m.t.Error(err)
		}
		m.flush()
	}
}

func (m *model) append() {
	kind, stream := Readings, fmt.Sprint("sensor-", m.rng.IntN(4))
	if m.rng.IntN(20) == 0 {
		kind, stream = Events, "event"
	}
	body := make([]byte, m.rng.IntN(3000))
	if m.rng.IntN(3) > 0 { // the rest does not compress
		body = bytes.Repeat([]byte{byte(m.rng.IntN(256))}, len(body))
	} else {
		for i := range body {
			body[i] = byte(m.rng.IntN(256))
		}
	}
	up, old := time.Duration(m.rng.Int64N(1e15)), false
	if stream == "sensor-2" {
		up = m.o.Up() - time.Duration(m.rng.IntN(2))*2*time.Hour
		old = m.o.Up()-up > time.Hour
	}
	seq, err := m.s.Append(context.Background(), kind, stream, up, body)
	if err != nil && !errors.Is(err, ErrFull) && !(errors.Is(err, ErrNotDurable) && m.o.MaxLoss == 0) {
		m.t.Errorf("append: %v", err)
		return
	}
	key := fmt.Sprint(kind, stream)
	if m.seqs[key]++; seq != m.seqs[key] {
		m.t.Errorf("append %s: seq %d, want %d", stream, seq, m.seqs[key])
	}
	r := ref{kind, stream, m.s.Run(), seq}
	m.bodies[r] = body
	if old {
		m.old[r] = m.kernel
	}
	if m.o.MaxLoss == 0 && !errors.Is(err, ErrNotDurable) {
		m.durable[r] = true
	}
}

// flush makes all that was appended durable, unless the store is full.
func (m *model) flush() {
	err := m.s.Flush(context.Background())
	if front := m.s.Stats().Front; errors.Is(err, ErrNotDurable) != (front > 0) || err != nil && !errors.Is(err, ErrNotDurable) {
		m.t.Errorf("flush with %d left in RAM: %v", front, err)
	}
	if err != nil {
		return // nothing could be removed to make room
	}
	for r := range m.bodies {
		if !m.gone[r] {
			m.durable[r] = true
		}
	}
}

// ended checks what the store says about the last boot.
func (m *model) ended(clean bool) {
	p := m.s.Previous()
	if p.Run != m.before || p.Clean != clean && m.committed {
		m.t.Errorf("previous %+v, want run %s, clean %v", p, m.before, clean)
	}
	if !m.committed { // how the run before that ended was checked then
		return
	}
	last := map[string]uint64{}
	for r := range m.bodies {
		if r.kind == Readings && r.run == p.Run && (clean || m.durable[r]) {
			last[r.stream] = max(last[r.stream], r.seq)
		}
		if clean {
			m.durable[r] = m.durable[r] || !m.gone[r]
		}
	}
	for stream, seq := range last {
		if p.Last[stream] < seq || clean && p.Last[stream] != seq {
			m.t.Errorf("previous: last of %s is %d, want %d (clean %v)", stream, p.Last[stream], seq, clean)
		}
	}
}

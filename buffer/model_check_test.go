package buffer

import (
	"bytes"
	"context"
	"fmt"
	"maps"
)

func (m *model) take(lane Lane, n, maxBytes int) int {
	got := m.s.Take(lane, n, maxBytes)
	if len(got) > n {
		m.t.Errorf("took %d records, asked for %d", len(got), n)
	}
	size := 0
	for _, r := range got {
		id := refOf(r)
		size += len(r.Body)
		if holds(m.passing[lane], Part{r.Stream, r.Kernel}) {
			m.t.Errorf("took %+v, which is held", id)
		}
		want, known := m.bodies[id]
		switch {
		case !known && m.gone[id]:
		case !known:
			m.t.Errorf("took %+v, which was never appended", id)
		case !bytes.Equal(want, r.Body):
			m.t.Errorf("took %+v with another body", id)
		case m.old[id] == m.kernel && r.SeqTo == 0:
			m.t.Errorf("took %+v, which is expired", id)
		}
		m.each(r, func(id ref) {
			switch {
			case m.retried[id]:
			case m.acked[id] && (m.crashes == 0 || m.lost[id]):
				m.t.Errorf("took %+v again after it was acknowledged or refused", id)
			case m.lost[id] && m.crashes == 0:
				m.t.Errorf("took %+v, which is in the ledger", id)
			}
		})
		if m.retried[id] {
			continue
		}
		if before, ok := m.last[lane][id.stream]; ok && m.ordered(before, id) && !before.less(id) {
			m.t.Errorf("lane %d: took %+v after %+v", lane, id, before)
		}
		id.seq = max(r.Seq, r.SeqTo)
		m.last[lane][id.stream] = id
		if before, ok := m.last[BacklogLane][id.stream]; lane == LiveLane && ok && m.ordered(before, id) && !before.less(id) {
			m.t.Errorf("live %+v after backlog %+v", id, before)
		}
	}
	if len(got) > 1 && size > maxBytes {
		m.t.Errorf("took %d bytes, asked for %d", size, maxBytes)
	}
	m.held[lane] = append(m.held[lane], got...)
	return len(got)
}

// ordered reports whether two records of a stream are taken in their order: those of a part that
// was held may come after all others.
func (m *model) ordered(a, b ref) bool { return a.run == b.run || !m.apart[a.stream] }

// holdParts tells the store what to pass over.
func (m *model) holdParts(lane Lane, parts map[Part]bool) {
	m.passing[lane] = parts
	for p := range parts {
		if p.Kernel != "" {
			m.apart[p.Stream] = true
		}
	}
	m.s.Hold(lane, parts)
}

// hold lets Take pass over other parts than before: over any, over one less, or over those of
// before that.
func (m *model) hold(lane Lane) {
	parts := maps.Clone(m.passing[lane])
	switch m.rng.IntN(3) {
	case 0:
		parts = map[Part]bool{}
		for _, stream := range []string{"event", "sensor-0", "sensor-1", "sensor-2", "sensor-3"} {
			switch m.rng.IntN(6) {
			case 0, 1:
				parts[Part{Stream: stream}] = true
			case 2:
				for kernel := range m.kernel + 1 {
					if m.rng.IntN(2) == 0 {
						parts[Part{stream, fmt.Sprint("kernel ", kernel)}] = true
					}
				}
			}
		}
	case 1:
		stream := fmt.Sprint("sensor-", m.rng.IntN(4))
		maps.DeleteFunc(parts, func(p Part, _ bool) bool { return p.Stream == stream })
	default:
		parts = m.earlier[lane]
	}
	m.earlier[lane] = m.passing[lane]
	m.holdParts(lane, parts)
}

func (m *model) ack(lane Lane) {
	held := m.held[lane]
	if len(held) == 0 {
		return
	}
	m.rng.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
	n := 1 + m.rng.IntN(len(held))
	m.s.Ack(held[:n])
	for _, r := range held[:n] {
		m.each(r, func(id ref) { m.acked[id] = true })
	}
	m.held[lane] = held[n:]
}

// unroute acknowledges the first of what is held, which nobody got.
func (m *model) unroute(lane Lane) {
	n := m.rng.IntN(len(m.held[lane]) + 1)
	m.s.AckUnrouted(m.held[lane][:n])
	for _, r := range m.held[lane][:n] {
		m.each(r, func(id ref) { m.acked[id], m.nobody[id] = true, false })
	}
	m.held[lane] = m.held[lane][n:]
}

// each calls f for everything that a record stands for.
func (m *model) each(r Record, f func(ref)) {
	for id := refOf(r); id.seq <= max(r.Seq, r.SeqTo); id.seq++ {
		f(id)
	}
}

// dead retries or drops some dead letters.
func (m *model) dead() {
	ctx := context.Background()
	list, err := m.s.DeadLetters(ctx, 0, 1+m.rng.IntN(5))
	if err != nil {
		m.t.Fatal(err)
	}
	for _, d := range list {
		m.each(d.Record, func(id ref) {
			if !m.refused[id] {
				m.t.Errorf("dead letter %+v was never refused", id)
			}
		})
		n := 0
		if m.rng.IntN(3) == 0 {
			n, err = m.s.DropDead(ctx, d.ID)
		} else {
			m.each(d.Record, func(id ref) { m.retried[id] = true })
			n, err = m.s.RetryDead(ctx, d.ID)
		}
		if n != 1 || err != nil {
			m.t.Errorf("dead letter %d: %d, %v", d.ID, n, err)
		}
	}
	m.last = [3]map[string]ref{{}, {}, {}} // what is live may have become backlog
}

func (m *model) losses() {
	hold := m.rng.IntN(4) == 0
	m.s.HoldLosses(hold)
	l := m.s.TakeLosses(1 + m.rng.IntN(20))
	if hold && l != nil {
		m.t.Errorf("took %+v, which are held", l)
	}
	if m.rng.IntN(4) == 0 {
		m.s.ReleaseLosses(l)
		return
	}
	for _, e := range l {
		if e.Count != e.Last-e.First+1 {
			m.t.Errorf("loss %+v: range and count differ", e)
		}
		for seq := e.First; seq <= e.Last; seq++ {
			r := ref{e.Kind, e.Stream, e.Run, seq}
			if _, ok := m.bodies[r]; !ok {
				m.t.Errorf("loss of %+v, which was never appended", r)
			}
			if e.Reason == reasonUnrouted {
				if told, ok := m.nobody[r]; !ok || told && m.crashes == 0 {
					m.t.Errorf("%+v is said to be unrouted (%v), or is so twice", r, ok)
				}
				m.nobody[r] = true
				continue
			}
			if e.Reason == reasonThinned {
				if m.thinned[r] && m.crashes == 0 {
					m.t.Errorf("%+v thinned twice", r)
				}
				m.thinned[r] = true
				continue
			}
			if _, old := m.old[r]; e.Reason == reasonExpired && !old && !m.thinned[r] {
				m.t.Errorf("%+v is said to be expired", r)
			}
			if m.acked[r] && !m.refused[r] && m.crashes == 0 {
				m.t.Errorf("%s loss of %+v, which was acknowledged", e.Reason, r)
			}
			if m.lost[r] && !m.refused[r] && m.crashes == 0 {
				m.t.Errorf("%+v lost twice", r)
			}
			m.lost[r] = true
		}
	}
	m.s.AckLosses(l)
}

// drain delivers everything and checks that nothing is unaccounted for: first all but what is held,
// then the rest.
func (m *model) drain() {
	for i := range m.held {
		m.s.Release(m.held[i])
		m.held[i] = nil
		m.last[i] = map[string]ref{}
	}
	m.s.Split()
	m.hold(BacklogLane)
	m.hold(EventLane)
	m.holdParts(LiveLane, m.passing[BacklogLane]) // what finds no room is live
	m.deliver()
	m.accounted()
	m.s.mu.Lock()
	if b := m.s.limits.cache + 4*segmentCost; m.s.cached > b {
		m.t.Errorf("%d bytes of what is held stay in RAM, at most %d", m.s.cached, b)
	}
	m.s.mu.Unlock()
	for lane := range Lane(3) {
		m.passing[lane] = nil
		m.s.Hold(lane, nil)
	}
	m.deliver()
	m.accounted()
	m.empty()
}

// deliver takes and acknowledges all that is not held.
func (m *model) deliver() {
	for range 10 { // what found no room in the store becomes visible to Take later
		for lane := range Lane(3) {
			for m.take(lane, 50, 100000) > 0 {
				m.ack(lane)
			}
			for len(m.held[lane]) > 0 {
				m.ack(lane)
			}
		}
		if err := m.s.Flush(context.Background()); err != nil {
			m.t.Fatal(err)
		}
	}
	for m.s.Stats().Losses > 0 && !m.t.Failed() {
		m.losses()
		m.flush()
	}
}

// accounted checks that every record was delivered, is in the ledger or held.
func (m *model) accounted() {
	for r := range m.bodies {
		if !m.acked[r] && !m.lost[r] && !m.gone[r] && !holds(m.passing[BacklogLane], Part{r.stream, m.kernels[r.run]}) && !holds(m.passing[EventLane], Part{r.stream, m.kernels[r.run]}) {
			m.t.Errorf("%+v is neither delivered nor in the ledger", r)
		}
	}
}

// empty checks that nothing is left.
func (m *model) empty() {
	for r, told := range m.nobody {
		if !told && m.crashes == 0 {
			m.t.Errorf("nobody got %+v, and the ledger does not tell", r)
		}
	}
	st := m.s.Stats()
	if st.Events != 0 || st.Live != 0 || st.Backlog != 0 || st.InFlight != 0 || st.Front != 0 || st.Losses != 0 {
		m.t.Errorf("not empty: %+v", st)
	}
	if st.Bytes > m.o.MaxBytes {
		m.t.Errorf("%d bytes, at most %d", st.Bytes, m.o.MaxBytes)
	}
	var n counters
	err := m.s.submit(context.Background(), &job{read: func(c *committer) (err error) {
		n = c.n
		for _, table := range append(tables[:], "ack", "loss") {
			rows, err := c.db.number("SELECT count(*) FROM " + table)
			if err != nil || rows != 0 {
				return fmt.Errorf("%d rows left in %s: %w", rows, table, err)
			}
		}
		v, err := c.db.value("PRAGMA integrity_check")
		if v != "ok" {
			return fmt.Errorf("integrity: %v: %w", v, err)
		}
		return nil
	}})
	if err != nil {
		m.t.Error(err)
	}
	if n.Records != [classCount]int64{} || n.Bytes != [classCount]int64{} || n.Thinned != [classCount][ThinLevels]int64{} || n.Losses != 0 {
		m.t.Errorf("counters of an empty store: %+v", n)
	}
	m.s.mu.Lock()
	if m.s.front != 0 || m.s.cached != 0 || m.s.dirty != 0 {
		m.t.Errorf("front %d, cached %d, dirty %d in an empty store", m.s.front, m.s.cached, m.s.dirty)
	}
	m.s.mu.Unlock()
	closeStore(m.t, m.s)
}

package buffer

import (
	"cmp"
	"database/sql/driver"
	"fmt"
	"maps"
	"math"
	"slices"
)

// Thinning replaces segments by one that has fewer records. A segment has a level: how often its
// records were thinned, which is never less than that of the segments after it, but for those that
// were in flight. Each level may have half of what it and those above it have, so the newest half
// of a class stays as it was appended, and what is removed in the end was thinned ThinLevels times.

// addBytes accounts for a segment.
func (n *counters) addBytes(cl class, level, bytes int64) {
	n.Bytes[cl] += bytes
	if level >= 1 && level <= ThinLevels {
		n.Thinned[cl][level-1] += bytes
	}
}

// toThin returns the lowest level that has more than its share, or -1.
func (n *counters) toThin(cl class) int64 {
	rest := n.Bytes[cl]
	for level := range int64(ThinLevels) {
		above := int64(0)
		for _, b := range n.Thinned[cl][level:] {
			above += b
		}
		if 2*above < rest {
			return level
		}
		rest = above
	}
	return -1
}

// thin thins the oldest segments of one level, if the policy says so, and returns the number of
// those that it replaced. What becomes no smaller stays as it is, for evict.
func (c *committer) thin(t *txn, cl class) (int, error) {
	level := t.n.toThin(cl)
	if c.s.o.WhenFull != Thin || level < 0 {
		return 0, nil
	}
	for range maxThin {
		in := thinning{c: c, level: level + 1}
		first := len(t.evicted)
		if err := in.read(t, cl, level); err != nil || len(in.parts) == 0 {
			return 0, err
		}
		out, ok := in.finish()
		if ok {
			for _, p := range in.parts {
				if err := c.remove(t, cl, p.id); err != nil {
					return 0, err
				}
			}
			t.removed = append(t.removed, in.removals(out)...)
			t.added = append(t.added, added{class: cl, id: out.id, last: out.last(), records: int64(len(out.items)), seg: out})
			return len(in.parts), c.insert(t, out, len(out.items))
		}
		for _, e := range t.evicted[first:] {
			c.unclaim(e.seg)
		}
		t.evicted = t.evicted[:first]
	}
	return 0, nil
}

// A thinning is the replacement of some segments.
type thinning struct {
	c       *committer
	level   int64 // that the records get
	parts   []thinPart
	model   *segment             // what the parts have in common
	records []Record             // of the parts, those that were thinned already among them
	before  map[string]uint64    // how many records of each stream went in
	buckets map[string][]removal // what buckets of the parts stood for
}

type thinPart struct {
	id   uint64
	size int64
}

// read claims and reads the segments to thin: adjacent ones of one run.
func (in *thinning) read(t *txn, cl class, level int64) error {
	c := in.c
	in.before, in.buckets = make(map[string]uint64), make(map[string][]removal)
	id, err := c.firstOf(cl, level)
	for id > 0 && len(in.parts) < maxEvict && err == nil {
		var r *row
		if r, err = c.readSegment(cl, id, 1<<63-1); err != nil || r == nil {
			break
		}
		if r.seg.level != level || in.model != nil && r.seg.run != in.model.run {
			break
		}
		size := int64(len(r.seg.encoded))
		seg, ok := c.claim(cl, r.seg.id)
		if !ok || seg == nil && c.decode(r) != nil { // in flight, or for evict to remove
			c.unclaim(seg)
			if in.model != nil {
				break
			}
			id, err = c.firstAfter(cl, level, r.seg.id)
			continue
		}
		t.evicted = append(t.evicted, evicted{class: cl, seg: seg, records: r.records - int64(popcount(r.bits))})
		if seg == nil {
			seg = r.seg
		}
		in.parts = append(in.parts, thinPart{r.seg.id, size})
		if in.model == nil {
			in.model = r.seg
		}
		c.thinFrom[cl][level] = r.seg.id
		in.add(seg)
		id = r.seg.id + 1
		if cost(in.records) > thinCost {
			in.thin()
			if cost(in.records) > thinCost/2 {
				break
			}
		}
	}
	return err
}

// firstOf returns the id of the first segment of a level, or 0.
func (c *committer) firstOf(cl class, level int64) (uint64, error) {
	return c.firstAfter(cl, level, c.thinFrom[cl][level])
}

func (c *committer) firstAfter(cl class, level int64, after uint64) (id uint64, err error) {
	err = c.db.query(`SELECT id FROM `+tables[cl]+` WHERE id>? AND level=? ORDER BY id LIMIT 1`, func(v []driver.Value) bool {
		n, _ := v[0].(int64)
		id = uint64(n)
		return false
	}, after, level)
	return id, err
}

// add takes in the records of a claimed segment.
func (in *thinning) add(seg *segment) {
	in.c.s.mu.Lock()
	defer in.c.s.mu.Unlock()
	for _, it := range seg.items {
		if it.state == done {
			continue
		}
		in.records = append(in.records, it.record())
		in.before[it.stream] += uint64(it.span) + 1
		if it.span == 0 {
			continue
		}
		r, list := seg.removal(it, reasonThinned), in.buckets[it.stream]
		if n := len(list); n > 0 && list[n-1].last+1 == r.first {
			list[n-1].last = r.last
		} else {
			in.buckets[it.stream] = append(list, r)
		}
	}
}

func (in *thinning) thin() { in.records = in.c.s.o.Thin(int(in.level), in.records) }

func cost(records []Record) (n int) {
	for i := range records {
		n += len(records[i].Body) + itemOverhead
	}
	return n
}

// finish returns the segment that takes the place of the parts, thinned as often as makes it
// smaller; false: nothing does.
func (in *thinning) finish() (*segment, bool) {
	size := int64(0)
	for _, p := range in.parts {
		size += p.size
	}
	for ; in.level <= ThinLevels && len(in.records) > 0; in.level++ {
		in.thin()
		out, err := in.build()
		if err != nil {
			if !in.c.thinWrong {
				in.c.thinWrong = true
				in.c.s.log.Error("readings cannot be thinned", "path", in.c.s.path, "err", err)
			}
			return nil, false
		}
		if in.c.codec.encode(out); int64(len(out.encoded)) < size && out.rawSize <= maxSegment {
			return out, true
		}
	}
	return nil, false
}

// build makes a segment of the records, after it has checked that they stand for all that was read.
func (in *thinning) build() (*segment, error) {
	m := in.model
	out := &segment{class: m.class, run: m.run, level: in.level, sealed: true}
	left := maps.Clone(in.before)
	for _, r := range in.records {
		if r.item == nil || r.Stream != r.item.stream || r.Seq != r.item.seq || r.SeqTo != 0 && (r.SeqTo < r.Seq || r.SeqTo-r.Seq > math.MaxUint32) {
			return nil, fmt.Errorf("records %d to %d of %s are not among those given", r.Seq, r.SeqTo, r.Stream)
		}
		it := &item{segment: out, pos: r.item.pos, seq: r.Seq, up: r.Up, stream: r.Stream, body: r.Body, state: waiting}
		if r.SeqTo > r.Seq {
			it.span, it.upTo = uint32(r.SeqTo-r.Seq), r.UpTo
		}
		left[it.stream] -= uint64(it.span) + 1
		out.items = append(out.items, it)
	}
	for stream, n := range left {
		if n != 0 {
			return nil, fmt.Errorf("%d records of %s did not come back", int64(n), stream)
		}
	}
	slices.SortFunc(out.items, func(a, b *item) int { return cmp.Compare(a.pos, b.pos) })
	out.id = out.items[0].pos
	return out, nil
}

// removals returns the records that were in no bucket and now are in one.
func (in *thinning) removals(out *segment) (list []removal) {
	for _, it := range out.items {
		if it.span == 0 {
			continue
		}
		r := out.removal(it, reasonThinned)
		for _, old := range in.buckets[it.stream] {
			if old.last < r.first || old.first > it.last() {
				continue
			}
			if old.first > r.first {
				list = merge(list, removal{r.key, r.first, old.first - 1, old.first - r.first})
			}
			r.first = old.last + 1
		}
		if r.first <= it.last() {
			list = merge(list, removal{r.key, r.first, it.last(), it.last() - r.first + 1})
		}
	}
	return list
}

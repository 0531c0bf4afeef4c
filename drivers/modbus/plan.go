package modbus

import (
	"cmp"
	"slices"
)

// A block is what one request reads.
type block struct {
	table   table
	start   int
	size    int // registers, or bits
	holes   int // of them, those without a field
	entries []int
	request request

	data    []byte // of the last answer
	refused string // why the last reading has none; "" if it has
}

func (b *block) place() string { return place(b.table, b.start, b.size) }

// has reports whether a block reads a register of a table.
func (b *block) has(t table, address int) bool {
	return b.table == t && address >= b.start && address < b.start+b.size
}

// A span is what must be in one request: an entry, with its factor if they can be together, or the
// register of a factor alone.
type span struct {
	table      table
	start, end int
	entry      int // -1: a factor
}

// joins reports whether a span of the block's table, none of which begins before the block, can be
// read with it.
func (s *settings) joins(b *block, p span) bool {
	if s.oneRequest {
		return p.end <= b.start+b.size
	}
	return p.start <= b.start+b.size+s.maxGap && max(b.size, p.end-b.start) <= s.limit(p.table)
}

// plan groups the entries into as few requests as the options allow, and finds the registers of
// their factors in them. An entry is never torn, nor from its factor if the options allow that.
func (s *settings) plan(all []entry) []block {
	var blocks []block
	for _, p := range s.spans(all) {
		if n := len(blocks) - 1; n >= 0 {
			b := &blocks[n]
			if b.table == p.table && s.joins(b, p) {
				b.holes += max(0, p.start-b.start-b.size)
				b.size = max(b.size, p.end-b.start)
				b.take(p)
				continue
			}
		}
		b := block{table: p.table, start: p.start, size: p.end - p.start}
		b.take(p)
		blocks = append(blocks, b)
	}
	for i := range blocks {
		b := &blocks[i]
		b.request = readRequest(byte(s.unit), b)
		b.request.anyUnit = s.anyUnit
		b.data = make([]byte, b.request.answer-3)
	}
	for i := range blocks {
		for _, j := range blocks[i].entries {
			if e := &all[j]; e.ScaleRegister != nil {
				e.factor.find(blocks, i, e.table, *e.ScaleRegister)
			}
		}
	}
	return blocks
}

// limit returns how much of a table one request may read.
func (s *settings) limit(t table) int {
	if t.bits() {
		return s.maxReadBits
	}
	return s.maxRead
}

func (b *block) take(p span) {
	if p.entry >= 0 {
		b.entries = append(b.entries, p.entry)
	}
}

// find sets where a factor is read: in the block of its value, or in another.
func (f *factor) find(blocks []block, own int, t table, address int) {
	i := own
	if !blocks[own].has(t, address) {
		i = slices.IndexFunc(blocks, func(b block) bool { return b.has(t, address) })
	}
	f.block, f.at = i, address-blocks[i].start
}

// spans returns what must be read, by table and address.
func (s *settings) spans(all []entry) []span {
	var spans []span
	for i := range all {
		e := &all[i]
		if e.missing { // of a model that the device has not
			continue
		}
		spans = append(spans, span{e.table, e.Address, e.Address + e.size, i})
		if e.ScaleRegister != nil {
			spans = append(spans, span{e.table, *e.ScaleRegister, *e.ScaleRegister + 1, -1})
		}
	}
	sortSpans(spans)
	joined := slices.Clone(spans)
	for i := range joined {
		p := &joined[i]
		if p.entry < 0 || all[p.entry].ScaleRegister == nil {
			continue
		}
		at := *all[p.entry].ScaleRegister
		start, end := min(p.start, at), max(p.end, at+1)
		if !s.oneRequest && end-start <= s.limit(p.table) && s.bridged(spans, p.table, start, end) {
			p.start, p.end = start, end
		}
	}
	sortSpans(joined)
	return joined
}

func sortSpans(spans []span) {
	slices.SortStableFunc(spans, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.table, b.table), cmp.Compare(a.start, b.start))
	})
}

// bridged reports whether sorted spans leave no hole from start to end that may not be read.
func (s *settings) bridged(sorted []span, t table, start, end int) bool {
	reached := start
	for _, p := range sorted {
		if p.table == t && p.start <= reached+s.maxGap {
			reached = max(reached, p.end)
		}
	}
	return reached >= end
}

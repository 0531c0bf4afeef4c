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
}

func (b *block) place() string { return place(b.table, b.start, b.size) }

// joins reports whether an entry of the block's table, none of which begins before the block, can
// be read with it.
func (s *settings) joins(b *block, e *entry) bool {
	end := e.Address + e.size
	if s.oneRequest {
		return end <= b.start+b.size
	}
	limit := s.maxRead
	if e.table.bits() {
		limit = s.maxReadBits
	}
	return e.Address <= b.start+b.size+s.maxGap && max(b.size, end-b.start) <= limit
}

// plan groups the entries into as few requests as the options allow. An entry is never torn.
func (s *settings) plan(all []entry) []block {
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		return cmp.Or(cmp.Compare(all[i].table, all[j].table), cmp.Compare(all[i].Address, all[j].Address))
	})
	var blocks []block
	for _, i := range order {
		e := &all[i]
		if n := len(blocks) - 1; n >= 0 {
			b := &blocks[n]
			if b.table == e.table && s.joins(b, e) {
				b.holes += max(0, e.Address-b.start-b.size)
				b.size = max(b.size, e.Address+e.size-b.start)
				b.entries = append(b.entries, i)
				continue
			}
		}
		blocks = append(blocks, block{table: e.table, start: e.Address, size: e.size, entries: []int{i}})
	}
	for i := range blocks {
		b := &blocks[i]
		b.request = readRequest(byte(s.unit), b)
		b.request.anyUnit = s.anyUnit
	}
	return blocks
}

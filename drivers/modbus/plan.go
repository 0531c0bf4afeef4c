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
	entries []int
	request request
}

func (b *block) place() string { return place(b.table, b.start, b.size) }

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
			limit := s.maxRead
			if e.table.bits() {
				limit = maxBits
			}
			size := max(b.size, e.Address+e.size-b.start)
			if b.table == e.table && e.Address <= b.start+b.size+s.maxGap && size <= limit {
				b.size = size
				b.entries = append(b.entries, i)
				continue
			}
		}
		blocks = append(blocks, block{table: e.table, start: e.Address, size: e.size, entries: []int{i}})
	}
	for i := range blocks {
		b := &blocks[i]
		b.request = readRequest(byte(s.unit), b)
	}
	return blocks
}

package buffer

import (
	"maps"
	"slices"
)

// A mark is the last durable sequence number of a stream of this run.
type mark struct {
	kind   Kind
	stream string
	seq    uint64
}

// marksLocked returns the last number of every stream of this run, in the order of their names.
func (s *Store) marksLocked() []mark {
	var list []mark
	for kind := range s.streams {
		for _, name := range slices.Sorted(maps.Keys(s.streams[kind])) {
			if n := s.streams[kind][name].last; n > 0 {
				list = append(list, mark{Kind(kind), name, n})
			}
		}
	}
	return list
}

// lowerMarks lowers the marks of a class whose front found no room to what is durable. A record
// that a limit has removed since counts as well: its loss is in no commit yet.
func (t *txn) lowerMarks() {
	type key struct {
		kind   Kind
		stream string
	}
	lowest := make(map[key]uint64)
	for _, seg := range t.unstored {
		for _, it := range seg.items {
			k := key{seg.class.kind(), it.stream}
			if n, ok := lowest[k]; !ok || it.seq < n {
				lowest[k] = it.seq
			}
		}
	}
	for i, m := range t.marks {
		if n, ok := lowest[key{m.kind, m.stream}]; ok {
			t.marks[i].seq = min(m.seq, n-1)
		}
	}
}

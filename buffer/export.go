package buffer

import (
	"context"
	"iter"
)

// Stored returns the records of a kind that are not acknowledged, including those in flight and
// those that are only in RAM: readings by priority, the highest first, and oldest first within one.
// It does not take them: they cannot be acknowledged, delivery continues, and what is removed in
// the meantime may be missing. It reads one segment at a time. After an error the sequence ends.
func (s *Store) Stored(ctx context.Context, kind Kind) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		first, last := lowClass, highClass
		if kind == Events {
			first, last = eventClass, eventClass
		}
		for cl := int(last); cl >= int(first); cl-- {
			for next := uint64(0); ; {
				var records []Record
				more := false
				err := s.submit(ctx, &job{read: func(c *committer) (err error) {
					records, next, more, err = c.peek(class(cl), next)
					return err
				}})
				if err != nil {
					yield(Record{}, err)
					return
				}
				for _, r := range records {
					if !yield(r, nil) {
						return
					}
				}
				if !more {
					break
				}
			}
		}
	}
}

// peek returns the records of the first segment, on the disk or in RAM, with an id of at least
// from, and the id to go on with. One that cannot be read is passed over: who takes it enters it in
// the ledger.
func (c *committer) peek(cl class, from uint64) (records []Record, next uint64, more bool, err error) {
	r, err := c.readSegment(cl, from, 1<<63-1)
	if err != nil {
		return nil, 0, false, err
	}
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	var seg *segment
	sh := &s.shelves[cl]
	if i := sh.find(from); i < len(sh.segments) && (r == nil || sh.segments[i].id <= r.seg.id) {
		seg = sh.segments[i]
	} else if r == nil {
		return nil, 0, false, nil
	} else if seg = r.seg; c.decode(r) != nil {
		return nil, seg.id + 1, true, nil
	}
	for _, it := range seg.items {
		if it.state != done && !seg.private {
			rec := it.record()
			rec.item = nil
			records = append(records, rec)
		}
	}
	return records, seg.last() + 1, true, nil
}

// StreamStats describe the unacknowledged records of one stream.
type StreamStats struct {
	Records int64
	Bytes   int64  // of bodies
	Oldest  Record // the one with the lowest Pos, without its Body
}

// Streams returns the StreamStats of each stream of a kind that has records, by name. It reads all
// of these records.
func (s *Store) Streams(ctx context.Context, kind Kind) (map[string]StreamStats, error) {
	streams := make(map[string]StreamStats)
	for r, err := range s.Stored(ctx, kind) {
		if err != nil {
			return nil, err
		}
		st := streams[r.Stream]
		st.Records++
		st.Bytes += int64(len(r.Body))
		if r.Body = nil; st.Records == 1 || r.Pos < st.Oldest.Pos {
			st.Oldest = r
		}
		streams[r.Stream] = st
	}
	return streams, nil
}

package buffer

import (
	"context"
	"testing"
	"time"
)

// resident counts what the store keeps in RAM of records: items, and the bytes of bodies and
// encoded segments.
func resident(s *Store) (items, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.shelves {
		for _, seg := range s.shelves[i].segments {
			items += len(seg.items)
			bytes += len(seg.encoded)
			for _, it := range seg.items {
				bytes += len(it.body)
			}
		}
	}
	return items, bytes
}

// RAM is bounded on a disk that never has room: what was acknowledged leaves, also out of segments
// that a commit sealed and could not store, and also where one record of each segment is held.
func TestRAMIsBoundedWithoutRoomOnTheDisk(t *testing.T) {
	for _, held := range []int{0, 1} {
		s := newStore(t, Options{MaxLoss: time.Hour, MaxBytes: 16 << 20, MinFree: 1 << 60})
		kept := 0
		for round := range 200 {
			for i := range 100 {
				if _, err := s.Append(t.Context(), Readings, "a", 0, noise(round*100+i, 500)); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Flush(context.Background()); err == nil {
				t.Fatal("it found room")
			}
			r := s.Take(LiveLane, 100, 1<<20)
			if len(r) != 100 {
				t.Fatalf("took %d", len(r))
			}
			kept += held
			s.Ack(r[held:])
		}
		if items, bytes := resident(s); items > 2*kept+200 || bytes > 500*(2*kept+200) {
			t.Errorf("%d held: %d items and %d bytes stay in RAM", kept, items, bytes)
		}
		if st := s.Stats(); !st.NoRoom || st.Front != int64(kept) {
			t.Errorf("stats %+v", st)
		}
	}
}

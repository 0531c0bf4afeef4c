package buffer

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

func deadText(t *testing.T, s *Store) (text string) {
	t.Helper()
	for after := int64(0); ; { // two at a time, as one pages
		list, err := s.DeadLetters(t.Context(), after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			r := d.Record
			text += fmt.Sprintf("%s/%d/%d=%s:%s ", r.Stream, number(r.Run), r.Seq, r.Body, d.Reason)
			after = d.ID
		}
		if len(list) < 2 {
			return text
		}
	}
}

func TestDeadLetters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	o := Options{MaxLoss: time.Hour, Streams: map[string]StreamOptions{"a": {Priority: High}}}
	s := openAt(t, path, o)
	for i := range 4 {
		mustAppend(t, s, Readings, "a", fmt.Sprint(i))
		mustAppend(t, s, Events, "event", fmt.Sprint(i))
	}
	r := s.Take(LiveLane, 3, 99)
	if err := s.Refuse(t.Context(), r, "format"); err != nil {
		t.Fatal(err)
	}
	e := s.Take(EventLane, 1, 99)
	if err := s.Refuse(t.Context(), e, "quota"); err != nil {
		t.Fatal(err)
	}
	id := s.Run()
	closeStore(t, s)
	s = openAt(t, path, o)
	if got, want := deadText(t, s), "a/1/1=0:format event/1/1=0:quota a/1/2=1:format a/1/3=2:format "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	list, err := s.DeadLetters(t.Context(), 0, 9)
	if err != nil || len(list) != 4 || list[0].Record.Run != id {
		t.Fatalf("%+v, %v", list, err)
	}
	mustAppend(t, s, Readings, "a", "new")
	if n, err := s.RetryDead(t.Context(), list[0].ID, list[1].ID, 12345); n != 2 || err != nil {
		t.Errorf("retried %d, %v", n, err)
	}
	if n, err := s.DropDead(t.Context(), list[2].ID, list[0].ID); n != 1 || err != nil {
		t.Errorf("dropped %d, %v", n, err)
	}
	if st := s.Stats(); st.Dead != 1 || st.Backlog != 3 || st.Events != 4 {
		t.Errorf("stats %+v", st)
	}
	// After a crash they are where they were put.
	s = openAt(t, crash(t, s, path), o)
	if got, want := deadText(t, s), "a/1/3=2:format "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := seqs(s.Take(BacklogLane, 9, 99)), "a/1/4=3 a/2/1=new a/1/1=0"; got != want {
		t.Errorf("backlog: got %s, want %s", got, want)
	}
	r = s.Take(EventLane, 9, 99)
	if got, want := seqs(r), "event/1/2=1 event/1/3=2 event/1/4=3 event/1/1=0"; got != want {
		t.Errorf("events: got %s, want %s", got, want)
	}
	if r[3].Run != id || r[3].Kind != Events {
		t.Errorf("%+v", r[3])
	}
	// Refused again, then all are tried.
	if err := s.Refuse(t.Context(), r[3:], "again"); err != nil {
		t.Fatal(err)
	}
	if n, err := s.RetryAllDead(t.Context()); n != 2 || err != nil {
		t.Errorf("retried %d, %v", n, err)
	}
	mustAppend(t, s, Readings, "a", "newest")
	if got, want := seqs(s.Take(BacklogLane, 9, 99))+" "+seqs(s.Take(LiveLane, 9, 99)), "a/1/3=2 a/3/1=newest"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if n, err := s.DropAllDead(t.Context()); n != 0 || err != nil {
		t.Errorf("dropped %d, %v", n, err)
	}
	closeStore(t, s)
}

func TestDeadLettersAreBounded(t *testing.T) {
	s := newStore(t, Options{MaxBytes: MinMaxBytes, MaxLoss: time.Hour})
	const n = 100
	for i := range n {
		if _, err := s.Append(t.Context(), Readings, "a", 0, noise(i, 1000)); err != nil {
			t.Fatal(err)
		}
		if err := s.Refuse(t.Context(), s.Take(LiveLane, 1, 1), "x"); err != nil {
			t.Fatal(err)
		}
	}
	evicted, refused := uint64(0), uint64(0)
	for _, l := range s.TakeLosses(99) {
		switch l.Reason {
		case reasonEvicted:
			evicted += l.Count
		case reasonRefused:
			refused += l.Count
		}
	}
	st := s.Stats()
	if refused != n || uint64(st.Dead)+evicted != n || st.Dead < 2 || st.Dead*1000 > MinMaxBytes/64 {
		t.Errorf("%d refused, %d evicted, %d dead", refused, evicted, st.Dead)
	}
}

// Export reads everything once and takes nothing.
func TestStored(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	o := Options{MaxLoss: time.Hour, Streams: map[string]StreamOptions{"high": {Priority: High}}}
	s := openAt(t, path, o)
	for i := range 3000 {
		mustAppend(t, s, Readings, "a", fmt.Sprint(i))
		if i%1000 == 0 {
			mustAppend(t, s, Readings, "high", fmt.Sprint(i))
			mustAppend(t, s, Events, "event", fmt.Sprint(i))
		}
	}
	closeStore(t, s)
	s = openAt(t, path, o)
	defer closeStore(t, s)
	mustAppend(t, s, Readings, "a", "front")
	s.Ack(s.Take(BacklogLane, 3, 999)) // those of the high priority
	s.Take(BacklogLane, 5, 999)
	s.Ack(s.Take(BacklogLane, 5, 999))
	for range 2 {
		n, first, last := 0, "", ""
		for r, err := range s.Stored(t.Context(), Readings) {
			if err != nil {
				t.Fatal(err)
			}
			if last = string(r.Body); n == 0 {
				first = last
			}
			n++
		}
		if n != 3001-5 || first != "0" || last != "front" {
			t.Errorf("%d records from %s to %s", n, first, last)
		}
	}
	for range s.Stored(t.Context(), Events) {
		break
	}
	st, err := s.Streams(t.Context(), Events)
	if err != nil || len(st) != 1 || st["event"].Records != 3 || st["event"].Oldest.Seq != 1 || st["event"].Bytes != int64(len("010002000")) {
		t.Errorf("%+v, %v", st, err)
	}
	if got := seqs(s.Take(BacklogLane, 1, 99)); got != "a/1/11=10" {
		t.Errorf("delivery goes on with %s", got)
	}
}

package buffer

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestDiskFull needs a directory on a small file system of its own, which it
// fills: FIELDGATE_BUFFER_SMALLFS=/mnt/small, for example a tmpfs or an ext4 on
// a loop device of 8 to 32 MiB.
func TestDiskFull(t *testing.T) {
	dir := os.Getenv("FIELDGATE_BUFFER_SMALLFS")
	if dir == "" {
		t.Skip("FIELDGATE_BUFFER_SMALLFS is not set")
	}
	body := make([]byte, 1500)
	for i := range body {
		body[i] = byte(i * i >> 3 * 7)
	}
	for _, tt := range []struct {
		name   string
		policy Policy
	}{{"drop oldest", DropOldest}, {"reject new", RejectNew}} {
		t.Run(tt.name, func(t *testing.T) {
			sub, err := os.MkdirTemp(dir, "full")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(sub)
			path := filepath.Join(sub, "queue.db")
			s := openAt(t, path, Options{MaxLoss: time.Hour, WhenFull: tt.policy})
			total, rejected := 0, 0
			appendMany := func(n int) {
				for i := range n {
					copy(body, reading(total))
					for j := range body[200:] {
						body[200+j] ^= byte(total*31 + j*total)
					}
					_, err := s.Append(t.Context(), Readings, "a", 0, body)
					total++
					if errors.Is(err, ErrFull) {
						rejected++
					} else if err != nil {
						t.Fatal(err)
					}
					if i%20 == 0 {
						if err := s.Flush(t.Context()); err != nil && !errors.Is(err, ErrNotDurable) {
							t.Fatal(err)
						}
					}
				}
			}
			appendMany(500)
			filler, err := os.Create(filepath.Join(sub, "filler"))
			if err != nil {
				t.Fatal(err)
			}
			block := make([]byte, 4096)
			for err == nil {
				_, err = filler.Write(block)
			}
			t.Logf("filler: %v, %d bytes free, %+v", err, free(path), s.Stats())
			appendMany(2000)
			st := s.Stats()
			t.Logf("full: %d bytes free, ballast %d, %+v", free(path), fileSize(ballastPath(path)), st)
			if tt.policy == DropOldest && (st.Degraded != nil || st.Evicted == 0) {
				t.Errorf("does not work on a full disk: %+v", st)
			}
			// What can be taken still is, and acknowledging works.
			acked := 0
			for range 100 {
				r := append(s.Take(BacklogQueue, 20, 1<<20), s.Take(LiveQueue, 20, 1<<20)...)
				acked += len(r)
				s.Ack(r)
			}
			if err := s.Flush(t.Context()); err != nil {
				t.Errorf("acknowledging on a full disk: %v", err)
			}
			filler.Close()
			os.Remove(filler.Name())
			appendMany(100)
			if err := s.Flush(t.Context()); err != nil {
				t.Errorf("after space was freed: %v", err)
			}
			st = s.Stats()
			if st.Degraded != nil || int(st.Live+st.Backlog)+acked+rejected+int(st.Evicted) != total {
				t.Errorf("%d appended, %d acked, %d rejected, %+v", total, acked, rejected, st)
			}
			if fileSize(ballastPath(path)) == 0 {
				t.Error("no ballast any more")
			}
			if err := s.submit(t.Context(), &job{read: integrity}); err != nil {
				t.Error(err)
			}
			closeStore(t, s)
		})
	}
}

package buffer

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func someProgress() progress {
	p := progress{counters: counters{Commit: 1 << 40, Next: 1<<63 - 1, Losses: 2, NextLoss: 3, Dead: 4, DeadSize: 5}}
	for i := range classCount {
		p.Records[i], p.Bytes[i], p.Thinned[i][0] = int64(i)+10, 1<<40+int64(i), -int64(i)
	}
	for i := range 30 {
		p.marks = append(p.marks, mark{Kind(i % int(kindCount)), strings.Repeat("s", i*4), uint64(i) << 20})
	}
	return p
}

func TestProgress(t *testing.T) {
	for _, p := range []progress{{}, someProgress()} {
		b := p.encode()
		if got, err := decodeProgress(b); err != nil || !reflect.DeepEqual(got, p) {
			t.Errorf("got %+v, %v, want %+v", got, err, p)
		}
		if len(b)%progressStep != 0 {
			t.Errorf("%d bytes", len(b))
		}
		p.Commit++
		if len(p.encode()) != len(b) {
			t.Error("the next commit needs another length")
		}
	}
}

// No damage of the row goes unnoticed, and none makes the decoder panic.
func TestDamagedProgress(t *testing.T) {
	b := someProgress().encode()
	for i := range b {
		for _, damage := range []byte{1, 0x80, 0xff} {
			bad := append([]byte(nil), b...)
			bad[i] ^= damage
			if _, err := decodeProgress(bad); err != errBadState {
				t.Errorf("byte %d: %v", i, err)
			}
		}
		if _, err := decodeProgress(b[:i]); err != errBadState {
			t.Errorf("%d bytes: %v", i, err)
		}
	}
}

// A commit of a few readings changes few pages: what it costs the flash is theirs.
func TestPagesOfACommit(t *testing.T) {
	path := t.TempDir() + "/queue.db"
	s := openAt(t, path, Options{MaxLoss: 1 << 40})
	defer closeStore(t, s)
	const commits = 40
	var before int
	for i := range commits + 1 {
		for j := range 10 {
			mustAppend(t, s, Readings, fmt.Sprint("sensor-", j), fmt.Sprintf(`{"temperature":%d}`, i))
		}
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			before = len(logOf(t, logNow(t, s)))
		}
	}
	frames := (len(logOf(t, logNow(t, s))) - before) / (int(pageSize) + frameHeader)
	// The leaf and the progress; where a leaf is full, a new one, the page above and the first of
	// the file.
	if frames < 2*commits || frames > 4*commits {
		t.Errorf("%d pages in %d commits", frames, commits)
	}
}

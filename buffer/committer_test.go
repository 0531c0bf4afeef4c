package buffer

import (
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Close makes the front durable before it copies the log, which takes its time.
func TestCloseCommitsFirst(t *testing.T) {
	path, to := filepath.Join(t.TempDir(), "queue.db"), filepath.Join(t.TempDir(), "queue.db")
	var before atomic.Int64 // bytes of the database when Close began
	copied := false
	s := openAt(t, path, Options{MaxLoss: time.Hour, Up: func() time.Duration {
		if n := before.Load(); n > 0 && !copied && fileSize(path) > n { // the first look at the clock after the log was copied
			copied = true
			if err := copyStore(path, to); err != nil {
				t.Error(err)
			}
		}
		return bootTime()
	}})
	fill(t, s, 1000)
	mustAppend(t, s, Readings, "last", "x")
	before.Store(fileSize(path))
	closeStore(t, s)
	if !copied {
		t.Fatal("the log was not copied before the last commit")
	}
	s = openAt(t, to, Options{})
	defer closeStore(t, s)
	if s.Previous().Last["last"] != 1 {
		t.Errorf("a cut right after the log was copied: %+v", s.Previous())
	}
}

// WrittenBytes is what the store wrote, each byte once, whatever else its thread wrote before.
func TestWrittenBytes(t *testing.T) {
	const threads, each = 16, 4 << 20
	var wg, all sync.WaitGroup
	all.Add(threads)
	for range threads {
		wg.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
			if err != nil {
				t.Error(err)
			} else {
				_, _ = null.Write(make([]byte, each))
				null.Close()
			}
			all.Done()
			all.Wait()
		})
	}
	wg.Wait()
	s := newStore(t, Options{MaxLoss: time.Hour})
	if newIOCounter().f == nil {
		t.Skip("the kernel does not account I/O")
	}
	first := s.Stats().WrittenBytes
	if size := uint64(fileSize(s.path) + fileSize(s.path+"-wal")); first < size || first > 4*size {
		t.Errorf("%d bytes to make files of %d", first, size)
	}
	flushed(t, s, noise(0, 1000)) // the log begins again
	b := logNow(t, s)
	before, end, length := s.Stats().WrittenBytes, len(logOf(t, b)), len(b)
	for i := range 20 {
		was := s.Stats().WrittenBytes
		flushed(t, s, noise(i, 1000))
		if is := s.Stats().WrittenBytes; is < was+1000 {
			t.Errorf("%d bytes when a commit has ended", is-was)
		}
	}
	b = logNow(t, s)
	frames, zeros := len(logOf(t, b))-end, 0
	if len(b) > length {
		zeros = len(b) - max(length, end)
	}
	const runtimes = 10_000 // Go's own on this thread
	if got := int(s.Stats().WrittenBytes - before); got < frames || got > frames+zeros+runtimes {
		t.Errorf("%d bytes, want %d of frames and up to %d of zeros", got, frames, zeros)
	}
}

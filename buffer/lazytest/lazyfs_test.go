package lazytest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long LazyFS may take to mount, to drop its cache, or to end.
const patience = 20 * time.Second

// sector is what a medium writes whole. Parts of a page in the log may be smaller: its sectors
// begin anywhere in them.
const sector = 512

// settings of LazyFS: its pipes, and a cache that is never full, since a full one writes through.
const settings = `
[faults]
fifo_path=%q
fifo_path_completed=%q
[cache]
apply_eviction=false
[cache.simple]
custom_size="256MB"
blocks_per_page=1
[filesystem]
log_all_operations=false
`

// A fault makes LazyFS end by itself, at the n-th time that something happens to a file. The zero
// value is none.
type fault struct {
	kind    string // as LazyFS calls it: torn-op, torn-seq, clear-cache
	suffix  string // of the file: none is the database
	timing  string // of clear-cache: before or after an fsync
	parts   []int  // of torn-op: eighths of a page into which a write is torn; what is not a page is left whole
	persist []int  // of torn-op and torn-seq: the parts or the writes that reach the medium, counted from 1
	n       int
}

func (f fault) String() string {
	file := "database" + f.suffix
	switch f.kind {
	case "torn-op":
		return fmt.Sprintf("write %d of %s torn into %v eighths, kept are %v", f.n, file, f.parts, f.persist)
	case "torn-seq":
		return fmt.Sprintf("series %d of writes of %s, kept are %v", f.n, file, f.persist)
	case "clear-cache":
		return fmt.Sprintf("%s fsync %d of %s", f.timing, f.n, file)
	}
	return "no fault"
}

// config returns what tells LazyFS of the fault; path is that of the database on the medium.
func (f fault) config(path string) string {
	list := func(n []int) string { return strings.Join(strings.Fields(fmt.Sprint(n)), ",") }
	switch f.kind {
	case "torn-op":
		eighth := pageSize(path) / 8
		if f.suffix == "" {
			eighth = max(eighth, sector)
		}
		sizes := make([]int, len(f.parts))
		for i, n := range f.parts {
			sizes[i] = n * eighth
		}
		return fmt.Sprintf("[[injection]]\ntype=\"torn-op\"\nfile=%q\noccurrence=%d\nparts_bytes=%s\npersist=%s\n", path+f.suffix, f.n, list(sizes), list(f.persist))
	case "torn-seq":
		return fmt.Sprintf("[[injection]]\ntype=\"torn-seq\"\nop=\"write\"\nfile=%q\noccurrence=%d\npersist=%s\n", path+f.suffix, f.n, list(f.persist))
	case "clear-cache":
		return fmt.Sprintf("[[injection]]\ntype=\"clear-cache\"\nfrom=%q\ntiming=%q\nop=\"fsync\"\noccurrence=%d\ncrash=true\n", path+f.suffix, f.timing, f.n)
	}
	return ""
}

// isolate gives the calling goroutine, and the processes that it starts, mounts of their own:
// whatever ends the test ends the processes, and the mounts vanish with the last of them.
func isolate(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // and never unlocks: the thread ends with the goroutine
	if err := errors.Join(unix.Unshare(unix.CLONE_NEWNS), unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")); err != nil {
		t.Fatal(err)
	}
}

// dying makes a process end together with the thread that starts it.
func dying() *unix.SysProcAttr { return &unix.SysProcAttr{Pdeathsig: unix.SIGKILL} }

// pageSize returns the length of the pages of a database; of a new one, a guess.
func pageSize(path string) int {
	f, err := os.Open(path)
	if err != nil {
		return 4096
	}
	defer f.Close()
	var header [18]byte // "Database File Format": the size is at 16
	if _, err := f.ReadAt(header[:], 0); err != nil {
		return 4096
	}
	if n := int(binary.BigEndian.Uint16(header[16:])); n >= 512 {
		return n
	}
	return 4096
}

// A lazyFS is mounted until stop.
type lazyFS struct {
	cmd            *exec.Cmd
	log            bytes.Buffer
	ended          chan struct{} // closed when the process has ended
	endedAt        time.Duration // by now, valid when ended is closed
	mounted        string
	commands, done *os.File
	stopping       sync.Once
}

// mount mounts a LazyFS over root until the test ends, or stop. The goroutine must be isolated.
func mount(t *testing.T, root, at string, f fault) *lazyFS {
	t.Helper()
	l := &lazyFS{ended: make(chan struct{}), mounted: at}
	dir := t.TempDir()
	commands, done := filepath.Join(dir, "commands"), filepath.Join(dir, "done")
	l.commands, l.done = pipe(t, commands), pipe(t, done)
	config := fmt.Sprintf(settings, commands, done) + f.config(filepath.Join(root, storeName))
	file := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	l.cmd = exec.Command(*program, at, "--config-path", file, "-o", "modules=subdir", "-o", "subdir="+root, "-f")
	l.cmd.SysProcAttr = dying()
	l.cmd.Stdout, l.cmd.Stderr = &l.log, &l.log
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.stop)
	go func() {
		_ = l.cmd.Wait() // it is killed, by itself or by stop
		l.endedAt = now()
		close(l.ended)
	}()
	for start := time.Now(); ; {
		var st unix.Statfs_t
		if err := unix.Statfs(at, &st); err == nil && st.Type == unix.FUSE_SUPER_MAGIC {
			return l
		}
		select {
		case <-l.ended:
			t.Fatalf("LazyFS ended: %s", l.log.String())
		case <-time.After(time.Millisecond):
		}
		if time.Since(start) > patience {
			t.Fatal("LazyFS does not mount")
		}
	}
}

// pipe makes a named pipe and opens both ends, so that no open waits for another.
func pipe(t *testing.T, path string) *os.File {
	t.Helper()
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// dropCache makes LazyFS forget what was not synced. One that has ended has done so.
func (l *lazyFS) dropCache() error {
	if _, err := l.commands.WriteString("lazyfs::clear-cache\n"); err != nil {
		return err
	}
	answered := make(chan string, 1)
	go func() { // until the pipe is closed
		answer := make([]byte, 100)
		n, err := l.done.Read(answer)
		answered <- fmt.Sprintf("%s, %v", answer[:n], err)
	}()
	select {
	case answer := <-answered:
		if !strings.HasPrefix(answer, "finished::clear-cache") {
			return fmt.Errorf("LazyFS drops its cache: it says %q", answer)
		}
	case <-l.ended:
	case <-time.After(patience):
		return errors.New("LazyFS does not drop its cache")
	}
	return nil
}

// kill ends the process and loses what was not synced.
func (l *lazyFS) kill() { _ = l.cmd.Process.Kill() } // it may have ended by itself

// endsItself reports whether the process ends without kill.
func (l *lazyFS) endsItself() bool {
	select {
	case <-l.ended:
		return true
	case <-time.After(patience):
		return false
	}
}

// stop ends the process and unmounts.
func (l *lazyFS) stop() {
	l.stopping.Do(func() {
		l.kill()
		<-l.ended
		_ = unix.Unmount(l.mounted, unix.MNT_DETACH) // it may not have been mounted
	})
}

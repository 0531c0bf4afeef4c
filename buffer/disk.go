package buffer

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// bootTime returns CLOCK_BOOTTIME: the time since power-up, suspension included. No setting of the
// clock changes it.
func bootTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0 // every Linux since 2.6.39 has this clock
	}
	return time.Duration(ts.Nano())
}

// An ioCounter counts the bytes that its thread hands to the kernel.
type ioCounter struct {
	f *os.File // nil if the kernel does not account I/O
}

// newIOCounter counts for the calling thread, which must be locked.
func newIOCounter() ioCounter {
	f, err := os.Open("/proc/thread-self/io")
	if err != nil {
		return ioCounter{}
	}
	return ioCounter{f}
}

func (c ioCounter) read() uint64 {
	if c.f == nil {
		return 0
	}
	var buf [512]byte
	n, _ := c.f.ReadAt(buf[:], 0)
	for line := range strings.Lines(string(buf[:n])) {
		if v, ok := strings.CutPrefix(line, "wchar: "); ok {
			written, _ := strconv.ParseUint(strings.TrimSpace(v), 10, 64)
			return written
		}
	}
	return 0
}

func (c ioCounter) close() {
	if c.f != nil {
		c.f.Close()
	}
}

// free returns the bytes of the file system that the program may use, or a negative value.
func free(path string) int64 {
	var st unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(path), &st); err != nil || st.Blocks == 0 {
		return -1 // file systems in user space need not report it
	}
	return int64(st.Bavail) * int64(st.Bsize)
}

// syncDir makes the names in the directory of path durable. SQLite does it with fdatasync, which
// POSIX does not promise to be enough.
func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func fileSize(path string) int64 {
	st, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return st.Size()
}

// The ballast is a file of allocated blocks that is given up when the file system is full: without
// free blocks SQLite cannot even delete.

func ballastPath(path string) string { return path + ".ballast" }

// makeBallast creates the ballast, or as much of it as there is room for.
func (c *committer) makeBallast() {
	const spare = 64 << 10
	s := c.s
	c.ballast = fileSize(ballastPath(s.path))
	size := s.limits.ballast
	if f := free(s.path); f >= 0 {
		size = min(size, c.ballast+f-spare)
	}
	if size < c.ballast+spare && c.ballast != 0 || size < spare {
		return // not worth a change
	}
	f, err := os.OpenFile(ballastPath(s.path), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return
	}
	err = unix.Fallocate(int(f.Fd()), 0, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) {
		_, err = f.WriteAt(make([]byte, size), 0)
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(ballastPath(s.path))
		return
	}
	c.ballast = size
}

// dropBallast reports whether it has freed anything.
func (c *committer) dropBallast() bool {
	if c.ballast == 0 {
		return false
	}
	err := os.Remove(ballastPath(c.s.path))
	c.ballast = 0
	return err == nil || errors.Is(err, fs.ErrNotExist)
}

// used returns the bytes in use of the database.
func (c *committer) used() (int64, error) {
	pages, err := c.db.number("PRAGMA page_count")
	if err != nil {
		return 0, err
	}
	spare, err := c.db.number("PRAGMA freelist_count")
	if err != nil {
		return 0, err
	}
	c.file = pages * c.db.pageSize
	return c.file - spare*c.db.pageSize, nil
}

// size returns the bytes of all files, of the log among them, and those in use of the database.
func (c *committer) size() (bytes, log, used int64, err error) {
	used, err = c.used()
	log = fileSize(c.s.path + "-wal")
	return c.file + log + c.ballast, log, used, err
}

// limitOf returns the bytes of the database up to which segments of a class are stored, and the
// option that they follow from.
func (c *committer) limitOf(cl class) (bytes int64, option string) {
	bytes = c.s.limits.of(cl)
	if c.usable < bytes {
		return c.usable, "min_free"
	}
	return bytes, "max_bytes"
}

// limitWithReserve is limitOf if no reading can give way: MinFree does not take from the events
// what is reserved for them.
func (c *committer) limitWithReserve(cl class, n counters, used int64) (bytes int64, option string) {
	bytes, option = c.limitOf(cl)
	if cl != eventClass {
		return bytes, option
	}
	l := c.s.limits
	reserved := l.usable - l.readings - n.Bytes[eventClass]
	return min(l.usable, max(bytes, used+reserved)), option
}

// margin is what a commit may need beside its segments.
func (c *committer) margin() int64 { return max(reserve/4, int64(classCount)*c.db.spaceFor(0)) }

// measureSpaceLocked notes for Append how much space there is.
func (c *committer) measureSpaceLocked(used int64) {
	for cl := range classCount {
		limit, _ := c.limitWithReserve(cl, c.n, used)
		c.s.space[cl] = limit - used - c.margin()
	}
}

// mayUse returns how large a database the file system permits: as large as it is, and what is free
// above MinFree when the log has reached its length.
func (c *committer) mayUse() int64 {
	l := c.s.limits
	f := free(c.s.path)
	if f < 0 {
		return l.file
	}
	log := max(0, l.log-fileSize(c.s.path+"-wal"))
	return c.file + max(0, f-c.s.o.MinFree-log)
}

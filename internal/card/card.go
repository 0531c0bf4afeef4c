// Package card counts what is really written to the card: the bytes that the kernel sent to the
// block device under a file, with the file system's journal and everything that other programs
// write, which is what wears the card. What is inside of the card, the writes that its controller
// adds, nobody outside knows.
package card

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// sector is the unit of the kernel's statistics, whatever the device's is
// (Documentation/block/stat.rst).
const sector = 512

// A Device is a block device that is being counted.
type Device struct {
	Name string // as the kernel has it: "mmcblk0"

	stat  string // file with its statistics
	start uint64 // bytes written when counting began
	since time.Time
}

// Usage is what was written to a device since counting began.
type Usage struct {
	Device string
	Bytes  uint64
	Span   time.Duration
}

// Count begins to count the writes to the whole device on which path lies. A file system that lies
// on no single device (tmpfs, overlay, btrfs) is an error.
func Count(path string) (*Device, error) { return count(path, "/sys") }

func count(path, sys string) (*Device, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return nil, fmt.Errorf("device of %s: %w", path, err)
	}
	number := fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev))
	dir, err := filepath.EvalSymlinks(filepath.Join(sys, "dev/block", number))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not on a block device (%s): what reaches the card cannot be counted", path, number)
	}
	if err != nil {
		return nil, fmt.Errorf("device of %s: %w", path, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "partition")); err == nil {
		dir = filepath.Dir(dir) // the card is worn by all of its partitions
	}
	d := &Device{Name: filepath.Base(dir), stat: filepath.Join(dir, "stat"), since: time.Now()}
	d.start, err = d.written()
	return d, err
}

// written returns the bytes written to the device since the kernel found it.
func (d *Device) written() (uint64, error) {
	text, err := os.ReadFile(d.stat)
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 7 {
		return 0, fmt.Errorf("%s: %q has no seventh field", d.stat, text)
	}
	sectors, err := strconv.ParseUint(fields[6], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: sectors written: %w", d.stat, err)
	}
	return sectors * sector, nil
}

// Usage returns what was written since Count; nil while it cannot be read. A nil Device has none.
func (d *Device) Usage() *Usage {
	if d == nil {
		return nil
	}
	now, err := d.written()
	if err != nil || now < d.start {
		return nil
	}
	return &Usage{Device: d.Name, Bytes: now - d.start, Span: time.Since(d.since)}
}

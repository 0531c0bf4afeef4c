package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A device is a loop device with an ext4 of its own: what is written to it is the queue's doing
// alone.
type device struct {
	mount string
	stat  string // its statistics
	image string
}

// newDevice makes one with these mount options. Free space takes none on the disk below.
func (b *bench) newDevice(name, options string) (d device, err error) {
	d = device{mount: filepath.Join(b.dir, name), image: filepath.Join(b.dir, name+".img")}
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		return d, err
	}
	if err := os.Truncate(d.image, 1<<30); err != nil {
		return d, err
	}
	if err := os.Mkdir(d.mount, 0o755); err != nil {
		return d, err
	}
	// Without lazy initialisation the kernel would write to the device on its own.
	for _, c := range [][]string{
		{"mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", d.image},
		{"mount", "-o", "loop,noatime," + options, d.image, d.mount},
	} {
		if out, err := exec.CommandContext(b.ctx, c[0], c[1:]...).CombinedOutput(); err != nil {
			return d, fmt.Errorf("%s: %w: %s", c[0], err, out)
		}
	}
	var st unix.Stat_t
	if err := unix.Stat(d.mount, &st); err != nil {
		return d, err
	}
	d.stat = fmt.Sprintf("/sys/dev/block/%d:%d/stat", unix.Major(st.Dev), unix.Minor(st.Dev))
	return d, nil
}

func (d device) remove() error {
	if err := unix.Unmount(d.mount, 0); err != nil {
		return fmt.Errorf("unmounting %s: %w", d.mount, err)
	}
	return errors.Join(os.Remove(d.mount), os.Remove(d.image))
}

// counts are what a device has done.
type counts struct{ bytes, flushes int64 }

// counted makes the file system of a task write what it has, and reads the statistics of its
// device.
func counted(t task) (c counts, err error) {
	if t.Device == "" {
		return c, nil
	}
	d, err := os.Open(t.Dir)
	if err != nil {
		return c, err
	}
	defer d.Close()
	if err := unix.Syncfs(int(d.Fd())); err != nil {
		return c, err
	}
	return deviceCounts(t.Device)
}

// deviceCounts reads statistics, see Documentation/block/stat.rst of Linux.
func deviceCounts(stat string) (c counts, err error) {
	const sector = 512
	text, err := os.ReadFile(stat)
	if err != nil {
		return c, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 16 {
		return c, fmt.Errorf("%s: the kernel does not count flushes", stat)
	}
	sectors, err := strconv.ParseInt(fields[6], 10, 64)
	if err != nil {
		return c, err
	}
	flushes, err := strconv.ParseInt(fields[15], 10, 64)
	return counts{sectors * sector, flushes}, err
}

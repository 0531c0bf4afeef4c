package card

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// device makes a sysfs in which the device of path is a partition of "mmcblk0" or the whole of it.
func device(t *testing.T, path string, partition bool) (sys, stat string) {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	sys = t.TempDir()
	whole := filepath.Join(sys, "devices/mmcblk0")
	dir := whole
	if partition {
		dir = filepath.Join(whole, "mmcblk0p2")
	}
	for _, d := range []string{dir, filepath.Join(sys, "dev/block")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if partition {
		if err := os.WriteFile(filepath.Join(dir, "partition"), []byte("2\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(dir, filepath.Join(sys, fmt.Sprintf("dev/block/%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev)))); err != nil {
		t.Fatal(err)
	}
	return sys, filepath.Join(whole, "stat")
}

func write(t *testing.T, stat string, sectors int) {
	t.Helper()
	text := fmt.Sprintf("     900      100    54321      200     3000      40  %d     700    0     60    900   0 0 0 0\n", sectors)
	if err := os.WriteFile(stat, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestCount(t *testing.T) {
	for _, partition := range []bool{false, true} {
		path := t.TempDir()
		sys, stat := device(t, path, partition)
		write(t, stat, 1000)
		synctest.Test(t, func(t *testing.T) {
			d, err := count(path, sys)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			write(t, stat, 1300)
			if u := d.Usage(); u == nil || *u != (Usage{"mmcblk0", 300 * 512, time.Minute}) {
				t.Errorf("partition %v: %+v", partition, u)
			}
			write(t, stat, 10) // another card, or the counter began again
			if u := d.Usage(); u != nil {
				t.Errorf("after the counter fell: %+v", u)
			}
		})
	}
}

func TestNotCounted(t *testing.T) {
	path := t.TempDir()
	sys, stat := device(t, path, false)
	for _, tt := range []struct {
		name, path, text, want string
	}{
		{"no such file", filepath.Join(path, "none"), "", "no such file"},
		{"short", path, "1 2 3\n", "seventh field"},
		{"not a number", path, "1 2 3 4 5 6 seven 8\n", "sectors written"},
	} {
		if err := os.WriteFile(stat, []byte(tt.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := count(tt.path, sys); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if _, err := count(path, t.TempDir()); err == nil || !strings.Contains(err.Error(), "not on a block device") {
		t.Errorf("without a device: %v", err)
	}
	if (*Device)(nil).Usage() != nil {
		t.Error("a nil device has a usage")
	}
}

// TestRealDevice counts on the device of this machine's temporary directory, if it has one.
func TestRealDevice(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	d, err := Count(file.Name())
	if err != nil {
		t.Skip(err)
	}
	if _, err := file.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := file.Sync(); err != nil {
		t.Fatal(err)
	}
	if u := d.Usage(); u == nil || u.Bytes < 1<<20 {
		t.Errorf("1 MiB was written, %+v", u)
	}
}

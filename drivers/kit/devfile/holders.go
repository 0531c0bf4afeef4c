package devfile

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Holders returns which other programs have a device file open, as "process 812 (ModemManager)". It
// sees only those that it may look into: all of them as root, those of the same user otherwise. A
// program that plays the device on a pseudo-terminal (socat, a simulator) is not one of them: that
// has its other end.
func Holders(file string) []string { return holders("/proc", file) }

func holders(proc, file string) []string {
	var found []string
	links, _ := filepath.Glob(filepath.Join(proc, "[0-9]*/fd/*"))
	seen := map[string]bool{fmt.Sprint(os.Getpid()): true}
	for _, link := range links {
		dir := filepath.Dir(filepath.Dir(link))
		pid := filepath.Base(dir)
		if seen[pid] {
			continue
		}
		if target, err := os.Readlink(link); err != nil || target != file || !sameDevice(link, file) {
			continue
		}
		seen[pid] = true
		if strings.HasPrefix(file, "/dev/pts/") && playsDevice(dir) {
			continue
		}
		name, _ := os.ReadFile(filepath.Join(dir, "comm"))
		found = append(found, fmt.Sprintf("process %s (%s)", pid, cmp.Or(strings.TrimSpace(string(name)), "?")))
	}
	return found
}

// sameDevice reports whether two names are of one device, as far as both can be looked at. The
// pseudo-terminals of a container have the names and numbers of the machine's, in a file system of
// their own.
func sameDevice(open, file string) bool {
	var a, b syscall.Stat_t
	if syscall.Stat(open, &a) != nil || syscall.Stat(file, &b) != nil {
		return true
	}
	return a.Rdev == b.Rdev && (a.Dev == b.Dev || !strings.HasPrefix(file, "/dev/pts/"))
}

// playsDevice reports whether a process has the other end of a pseudo-terminal open.
func playsDevice(process string) bool {
	links, _ := filepath.Glob(filepath.Join(process, "fd/*"))
	for _, link := range links {
		if target, _ := os.Readlink(link); filepath.Base(target) == "ptmx" {
			return true
		}
	}
	return false
}

// Busy says who has a device file open.
func Busy(file string) string {
	if by := Holders(file); len(by) > 0 {
		return "in use by " + strings.Join(by, ", ")
	}
	return "in use by another program (find it with: sudo fuser -v " + file + "); ModemManager, gpsd and a console on the port are the usual ones"
}

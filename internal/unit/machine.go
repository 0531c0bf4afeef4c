package unit

import (
	"os"
	"os/user"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// This is the machine that the program runs on.
type This struct{}

// Device implements Machine.
func (This) Device(file string) (major uint32, group string, ok bool) {
	var st syscall.Stat_t
	if syscall.Stat(file, &st) != nil || st.Mode&syscall.S_IFMT != syscall.S_IFCHR {
		return 0, "", false
	}
	if g, err := user.LookupGroupId(strconv.Itoa(int(st.Gid))); err == nil && st.Gid != 0 {
		group = g.Name
	}
	return unix.Major(uint64(st.Rdev)), group, true
}

// HasGroup implements Machine.
func (This) HasGroup(name string) bool {
	_, err := user.LookupGroup(name)
	return err == nil
}

// HasFile implements Machine.
func (This) HasFile(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

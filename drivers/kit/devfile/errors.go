package devfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Explain adds to the error of opening a device file what the operator can do about it. kind is
// what it is the file of ("I2C bus"), name what the configuration calls it, enable what to do if
// there is none, and others are those that there are.
func Explain(kind, name, file string, err error, enable string, others []string) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		present := "none"
		if len(others) > 0 {
			present = strings.Join(others, ", ")
		}
		return &Error{fmt.Sprintf("%s %s does not exist: %s. Present: %s", kind, name, enable, present), err}
	case errors.Is(err, syscall.EPERM): // of the rights of a file it would be EACCES
		return &Error{fmt.Sprintf("%s %s: operation not permitted: the service's unit does not allow this device, or did not know it yet when the service started; "+
			"restart the service, or make a drop-in with `fieldgate unit`", kind, name), err}
	case errors.Is(err, fs.ErrPermission):
		return &Error{fmt.Sprintf("%s %s: permission denied: %s", kind, name, permission(file)), err}
	case errors.Is(err, syscall.EBUSY):
		return &Error{fmt.Sprintf("%s %s is %s", kind, name, Busy(file)), err}
	}
	return fmt.Errorf("%s %s: %w", kind, name, err)
}

// An Error is an error in words of its own, which say all that the cause says.
type Error struct {
	Text  string
	Cause error
}

func (e *Error) Error() string { return e.Text }
func (e *Error) Unwrap() error { return e.Cause }

// permission says which group a file belongs to and which groups this program is in.
func permission(name string) string {
	var st syscall.Stat_t
	if err := syscall.Stat(name, &st); err != nil {
		return "it cannot be looked at either"
	}
	return rights(name, st.Mode, int(st.Gid))
}

// rights says who may use a device file of this mode and group.
func rights(name string, mode uint32, gid int) string {
	const readWrite = 0o060
	if gid == 0 || mode&readWrite != readWrite {
		// the group root has more rights than a gateway should
		return fmt.Sprintf("only its owner may read and write it; let a group do that by a udev rule, for example in /etc/udev/rules.d/60-fieldgate.rules: "+
			"KERNEL==%q, GROUP=\"dialout\", MODE=\"0660\"", filepath.Base(name))
	}
	groups, _ := syscall.Getgroups()
	groups = append(groups, syscall.Getegid())
	slices.Sort(groups)
	var names []string
	for _, g := range slices.Compact(groups) {
		names = append(names, groupName(g))
	}
	owner := groupName(gid)
	return fmt.Sprintf("it belongs to group %q and this program is in %s; run: sudo usermod -aG %s <user of the service>, and restart the service",
		owner, strings.Join(names, ", "), owner)
}

func groupName(id int) string {
	if g, err := user.LookupGroupId(strconv.Itoa(id)); err == nil {
		return g.Name
	}
	return strconv.Itoa(id)
}

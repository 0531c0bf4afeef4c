package bus

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// explainOpen adds to the error of opening the device file of a bus what the operator can do about it. others are the buses of the kind
// that there are.
func explainOpen(kind, name, file string, err error, enable string, others []string) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		present := "none"
		if len(others) > 0 {
			present = strings.Join(others, ", ")
		}
		return &explained{fmt.Sprintf("%s %s does not exist: %s. Present: %s", kind, name, enable, present), err}
	case errors.Is(err, fs.ErrPermission):
		return &explained{fmt.Sprintf("%s %s: permission denied: %s", kind, name, permission(file)), err}
	case errors.Is(err, syscall.EBUSY):
		return &explained{fmt.Sprintf("%s %s is %s", kind, name, busy(file)), err}
	}
	return fmt.Errorf("%s %s: %w", kind, name, err)
}

// explained is an error in words of its own, which say all that the cause says.
type explained struct {
	text  string
	cause error
}

func (e *explained) Error() string { return e.text }
func (e *explained) Unwrap() error { return e.cause }

// ExplainOpen adds to the error of opening a device file what the operator can do about it, for the drivers that open what the kernel shares
// out itself. enable says what to do where there is none, others are those that there are.
func ExplainOpen(kind, name string, err error, enable string, others []string) error {
	return explainOpen(kind, name, name, err, enable, others)
}

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
	if gid == 0 || mode&readWrite != readWrite { // the group root has more rights than a gateway should
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

// A loss is an error after which a bus has to be opened anew. It is os.ErrClosed to whoever asks; to people it tells what happened.
type loss struct {
	text  string
	cause error // may be nil
}

func (l *loss) Error() string { return l.text }

func (l *loss) Unwrap() []error {
	if l.cause == nil {
		return []error{os.ErrClosed}
	}
	return []error{os.ErrClosed, l.cause}
}

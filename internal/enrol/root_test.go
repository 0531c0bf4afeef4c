package enrol

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestRootFollowsNoLink: in the directory of the service's user root makes files where they belong,
// and nowhere else.
func TestRootFollowsNoLink(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	const user = 65534
	state, elsewhere := t.TempDir(), t.TempDir()
	if err := os.Chown(state, user, user); err != nil {
		t.Skipf("giving files to another user: %v", err)
	}
	link := func(target, name string) string {
		t.Helper()
		name = filepath.Join(state, name)
		if err := os.Symlink(target, name); err != nil {
			t.Fatal(err)
		}
		return name
	}
	if err := (Disk{}).Directory(link(elsewhere, "linked")); err == nil {
		t.Error("a link is taken for the directory")
	}
	target := filepath.Join(elsewhere, "made")
	if _, err := lock(link(target, "lock")); err == nil {
		t.Error("a link is taken for the lock")
	}
	if _, err := os.Lstat(target); err == nil {
		t.Error("the lock is made elsewhere")
	}
	own := filepath.Join(state, "own")
	for _, name := range []string{own, own} { // made, and there
		if err := (Disk{}).Directory(name); err != nil {
			t.Error(err)
		}
	}
	file := filepath.Join(own, "file")
	if err := (Disk{}).Create(file, []byte("x")); err != nil {
		t.Error(err)
	}
	release, err := lock(filepath.Join(own, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	release()
	for _, name := range []string{own, file, filepath.Join(own, "lock")} {
		if uid := owner(t, name); uid != user {
			t.Errorf("%s belongs to %d", name, uid)
		}
	}
}

func owner(t *testing.T, name string) uint32 {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Lstat(name, &st); err != nil {
		t.Fatal(err)
	}
	return st.Uid
}

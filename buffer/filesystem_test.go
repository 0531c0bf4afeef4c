package buffer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestNetworkFileSystem(t *testing.T) {
	for _, tt := range []struct {
		name  string
		magic uint32
		mount string
		want  string
	}{
		{"ext4", unix.EXT4_SUPER_MAGIC, "", ""}, {"tmpfs", unix.TMPFS_MAGIC, "", ""}, {"overlay", unix.OVERLAYFS_SUPER_MAGIC, "", ""},
		{"f2fs", unix.F2FS_SUPER_MAGIC, "", ""}, {"ubifs", 0x24051905, "", ""}, {"btrfs", unix.BTRFS_SUPER_MAGIC, "", ""},
		{"nfs", unix.NFS_SUPER_MAGIC, "", "NFS"}, {"smb", unix.SMB_SUPER_MAGIC, "", "CIFS (SMB)"}, {"smb2", unix.SMB2_SUPER_MAGIC, "", "CIFS (SMB)"},
		{"cifs", unix.CIFS_SUPER_MAGIC, "", "CIFS (SMB)"}, {"9p", unix.V9FS_MAGIC, "", "9p"}, {"ceph", unix.CEPH_SUPER_MAGIC, "", "Ceph"},
		{"sshfs", unix.FUSE_SUPER_MAGIC, "fuse.sshfs", "fuse.sshfs"}, {"a disk's fuse", unix.FUSE_SUPER_MAGIC, "fuseblk", ""}, {"virtiofs", unix.FUSE_SUPER_MAGIC, "virtiofs", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := networkFileSystem(tt.magic, func() string { return tt.mount }); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if got := mountType("/proc"); got != "proc" {
		t.Errorf("/proc is %q", got)
	}
}

func TestInRAM(t *testing.T) {
	dir := t.TempDir()
	ram, overlay := filepath.Join(dir, "ram"), filepath.Join(dir, "overlay")
	mount := func(at, fs, options string) {
		if err := errors.Join(os.MkdirAll(at, 0o700), unix.Mount(fs, at, fs, 0, options)); err != nil {
			t.Skipf("mounting %s: %v", fs, err)
		}
		t.Cleanup(func() { _ = unix.Unmount(at, 0) })
	}
	mount(ram, "tmpfs", "")
	if got := InRAM(filepath.Join(ram, "queue.db")); got != "tmpfs" {
		t.Errorf("tmpfs: %q", got)
	}
	if got := InRAM("/proc/queue.db"); got != "" {
		t.Errorf("/proc: %q", got)
	}
	for _, name := range []string{"lower", "ram/upper", "ram/work"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	mount(overlay, "overlay", fmt.Sprintf("lowerdir=%s/lower,upperdir=%[1]s/ram/upper,workdir=%[1]s/ram/work", dir))
	if got := InRAM(filepath.Join(overlay, "queue.db")); got != "an overlay in RAM" {
		t.Errorf("overlay: %q", got)
	}
}

func TestReadOnlyFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("mounting needs root: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	path := filepath.Join(dir, "queue.db")
	s := openAt(t, path, Options{MaxBytes: MinMaxBytes})
	mustAppend(t, s, Readings, "a", "x")
	closeStore(t, s)
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Skipf("remounting: %v", err)
	}
	s = openAt(t, path, Options{MaxBytes: MinMaxBytes})
	degraded := s.Stats().Degraded
	_ = s.Close(t.Context())
	for _, err := range []error{degraded, Examine(path)} {
		if !errors.Is(err, ErrNotWritable) || !errors.Is(err, unix.EROFS) || !strings.Contains(err.Error(), "remount") {
			t.Errorf("got %v", err)
		}
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, ""); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, path, Options{MaxBytes: MinMaxBytes})
	if got := seqs(s.Take(BacklogLane, 9, 9)); got != "a/1/1=x" {
		t.Errorf("got %s", got)
	}
	closeStore(t, s)
}

// openAsOther lets another process, of another user where uid is not 0, open a store, and returns
// its error.
func openAsOther(t *testing.T, path string, uid uint32) string {
	t.Helper()
	program := filepath.Join(filepath.Dir(path), "opener")
	b, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, b, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), openerEnv+"="+path)
	if uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Skipf("another process cannot run: %v: %s", err, out)
	}
	return string(out)
}

func TestFileOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir, err := os.MkdirTemp("", "buffer")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "queue.db")
	s := openAt(t, path, Options{MaxBytes: MinMaxBytes})
	mustAppend(t, s, Readings, "a", "x")
	closeStore(t, s)
	if got := openAsOther(t, path, 65534); !strings.Contains(got, "belongs to user 0 and this is user 65534") {
		t.Errorf("got %s", got)
	}
}

func TestSecondProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := openAt(t, path, Options{MaxBytes: MinMaxBytes})
	defer s.Close(context.Background())
	want := fmt.Sprintf("in use by another process: resource temporarily unavailable; stop the process that has it open (process id %d)", os.Getpid())
	if got := openAsOther(t, path, 0); !strings.Contains(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
	mustAppend(t, s, Readings, "a", "x") // the first one did not notice
}

// A file system that does not tell its size is not a full one.
func TestFreeIsUnknown(t *testing.T) {
	if n := free("/proc/queue.db"); n >= 0 {
		t.Errorf("%d bytes are free in /proc", n)
	}
}

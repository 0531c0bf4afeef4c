package buffer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// checkFileSystem refuses file systems that another machine keeps: their locks, and what fsync
// promises there, are not ours to rely on.
func checkFileSystem(path string) error {
	var fs unix.Statfs_t
	dir := filepath.Dir(path)
	if err := unix.Statfs(dir, &fs); err != nil {
		return nil // lockFile says what is wrong
	}
	name := networkFileSystem(uint32(fs.Type), func() string { return mountType(dir) })
	if name == "" {
		return nil
	}
	return &OpenError{Path: path, Problem: ErrFileSystem, Err: fmt.Errorf("%s is on %s", dir, name),
		Remedy: "choose a path on a disk of this machine, for example /var/lib/fieldgate/queue.db"}
}

// networkFileSystem returns the name of the network file system that the magic number of statfs(2)
// stands for, or "". If the number does not identify it, mount is asked for the type of the mount.
func networkFileSystem(magic uint32, mount func() string) string {
	switch magic {
	case 0x6969:
		return "NFS"
	case 0x517b, 0xff534d42, 0xfe534d42:
		return "CIFS (SMB)"
	case 0x01021997:
		return "9p"
	case 0x5346414f, 0x6b414653:
		return "AFS"
	case 0x00c36400:
		return "Ceph"
	case 0x0bd00bd0:
		return "Lustre"
	case 0x65735546: // FUSE: a disk's or a server's
		t := mount()
		for _, remote := range []string{"sshfs", "smb", "nfs", "davfs", "rclone", "s3fs", "gcsfuse", "gluster", "ceph", "curlftpfs"} {
			if strings.Contains(t, remote) {
				return t
			}
		}
	}
	return ""
}

// isReadOnly reports whether the file system of a store cannot be written.
func isReadOnly(path string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(filepath.Dir(path), &fs) == nil && fs.Flags&unix.ST_RDONLY != 0
}

// InRAM returns "" if the file system of a store at path survives a power cut. Otherwise it returns
// what kind of file system in RAM that is, such as "tmpfs", or an overlay that keeps its changes in
// RAM. It also returns "" if the kind cannot be determined.
func InRAM(path string) string {
	var fs unix.Statfs_t
	dir := filepath.Dir(path)
	if unix.Statfs(dir, &fs) != nil {
		return ""
	}
	switch uint32(fs.Type) {
	case unix.TMPFS_MAGIC:
		return "tmpfs"
	case unix.RAMFS_MAGIC:
		return "ramfs"
	case unix.OVERLAYFS_SUPER_MAGIC:
		_, options := mountOf(dir)
		for o := range strings.SplitSeq(options, ",") {
			if upper, ok := strings.CutPrefix(o, "upperdir="); ok && InRAM(filepath.Join(upper, "x")) != "" {
				return "an overlay in RAM"
			}
		}
	}
	return ""
}

// mountType returns the type of the file system that holds a directory, as proc(5) has it in
// mountinfo: "fuse.sshfs".
func mountType(dir string) string {
	fstype, _ := mountOf(dir)
	return fstype
}

// mountOf returns type and options of the file system that holds a directory.
func mountOf(dir string) (fstype, options string) {
	var st unix.Stat_t
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || unix.Stat(dir, &st) != nil {
		return "", ""
	}
	device := fmt.Sprintf("%d:%d", unix.Major(uint64(st.Dev)), unix.Minor(uint64(st.Dev)))
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		_, after, ok := strings.Cut(line, " - ")
		if ok && len(f) > 2 && f[2] == device {
			if f := strings.Fields(after); len(f) == 3 {
				return f[0], f[2]
			}
		}
	}
	return "", ""
}

// notWritable says what to do about an error of opening a file for writing.
func notWritable(path string, err error) error {
	e := &OpenError{Path: path, Problem: ErrNotWritable, Err: err,
		Remedy: "make the file and its directory writable for this user, and the file system not read-only"}
	var st unix.Stat_t
	switch {
	case errors.Is(err, unix.EROFS):
		e.Remedy = "the file system is read-only: remount it (mount -o remount,rw) or choose another path"
	default:
		for _, name := range []string{path, path + ".lock", path + "-wal", filepath.Dir(path)} {
			if unix.Stat(name, &st) == nil && int(st.Uid) != os.Geteuid() && unix.Access(name, unix.W_OK) != nil {
				e.Remedy = fmt.Sprintf("%s belongs to user %d and this is user %d: run it as that user", name, st.Uid, os.Geteuid())
				break
			}
		}
	}
	return e
}

package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/fieldgate/fieldgate/config"
)

// store looks at the place of the store: may it be written to, is there room.
func (p *Patient) store() []Check {
	dir := filepath.Dir(p.Store)
	c := Check{Subject: "store", Level: OK}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.Level, c.Detail = Warn, fmt.Sprintf("%s does not exist", dir)
		c.Remedy = "the service makes it at its first start; started by hand: --state-dir or buffer.path names another place"
		return []Check{c}
	case err != nil:
		c.Level, c.Detail, c.Remedy = Fail, err.Error(), "check who may look into the folders above it"
		return []Check{c}
	case !info.IsDir():
		c.Level, c.Detail, c.Remedy = Fail, dir+" is not a folder", "remove it, or set buffer.path"
		return []Check{c}
	}
	c.Detail = p.Store + " may be written to"
	owner := ownerOf(info)
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		c.Level, c.Detail = Fail, fmt.Sprintf("%s belongs to %s, and this user may not write to it: %v", dir, owner, err)
		c.Remedy = "examine it as the service's user: sudo -u fieldgate fieldgate doctor; or sudo chown -R fieldgate: " + dir
	} else if file, err := os.Stat(p.Store); err == nil && ownerOf(file) != owner {
		c.Level, c.Detail = Fail, fmt.Sprintf("%s belongs to %s and its folder to %s: the gateway ran once as another user", p.Store, ownerOf(file), owner)
		c.Remedy = fmt.Sprintf("sudo chown -R --reference=%s %s", dir, dir)
	}
	return []Check{c, p.room(dir)}
}

// ownerOf returns the name of a file's owner.
func ownerOf(info fs.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "?"
	}
	id := strconv.FormatUint(uint64(st.Uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

// room compares the free space with what the store may grow to.
func (p *Patient) room(dir string) Check {
	c := Check{Subject: "disk", Level: OK}
	var fsys unix.Statfs_t
	if err := unix.Statfs(dir, &fsys); err != nil {
		c.Level, c.Detail = Fail, fmt.Sprintf("%s: %v", dir, err)
		return c
	}
	if fsys.Blocks == 0 {
		c.Detail = dir + ": the file system does not tell how much is free"
		return c
	}
	free := config.Size(int64(fsys.Bavail) * int64(fsys.Bsize))
	used := config.Size(0)
	for _, end := range []string{"", "-wal", "-shm"} {
		if info, err := os.Stat(p.Store + end); err == nil {
			used += config.Size(info.Size())
		}
	}
	b := p.Config.Buffer
	grows := max(b.MaxBytes-used, 0)
	c.Detail = fmt.Sprintf("%s free; the store has %s of %s", mib(free), mib(used), mib(b.MaxBytes))
	const remedy = "free some space (sudo journalctl --vacuum-size=50M, sudo apt-get clean), or set a smaller buffer.max_bytes"
	switch {
	case fsys.Flags&unix.ST_RDONLY != 0:
		c.Level, c.Detail, c.Remedy = Fail, dir+" is on a file system that is mounted read-only", "sudo dmesg tells why; a worn-out SD card does that"
	case free < b.MinFree:
		c.Level, c.Remedy = Fail, remedy
		c.Detail += fmt.Sprintf(": that is less than the %s that are to stay free (buffer.min_free), so it does not grow", mib(b.MinFree))
	case free < b.MinFree+grows:
		c.Level, c.Remedy = Warn, remedy
		c.Detail += fmt.Sprintf(": in a long outage it cannot grow to its limit and leave %s free (buffer.min_free)", mib(b.MinFree))
	}
	return c
}

func mib(s config.Size) string { return fmt.Sprintf("%d MiB", s>>20) }

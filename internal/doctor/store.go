package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/health"
)

// store looks at the place of the store: can it be opened, is there room.
func (p *Config) store() []Check {
	dir := filepath.Dir(p.Store)
	c := Check{Subject: "store", Level: OK}
	var refused *buffer.OpenError
	switch err := buffer.Examine(p.Store); {
	case errors.Is(err, buffer.ErrInUse) && p.Running != nil:
		c.Detail = p.Store + " is in use by the gateway"
	case errors.Is(err, fs.ErrNotExist) && p.Config.Buffer.Path == "":
		c.Level, c.Detail = Warn, dir+" does not exist"
		c.Remedy = "the service creates it at its first start; for a start by hand --state-dir or buffer.path names another place"
		if p.Running != nil {
			c.Remedy = "give doctor the --state-dir of the running gateway"
		}
		return []Check{c}
	case errors.As(err, &refused):
		c.Level, c.Detail, c.Remedy = Fail, fmt.Sprintf("%s: %v", p.Store, refused.Problem), refused.Remedy
		if refused.Err != nil {
			c.Detail += ": " + refused.Err.Error()
		}
		if errors.Is(err, fs.ErrPermission) {
			c.Remedy = AsService
		}
		if errors.Is(err, buffer.ErrNoDirectory) {
			return []Check{c}
		}
	case err != nil:
		c.Level, c.Detail = Fail, err.Error()
	default:
		c.Detail = p.Store + " is writable"
	}
	if fs := buffer.InRAM(p.Store); fs != "" && c.Level == OK {
		c.Level, c.Detail = Warn, fmt.Sprintf("%s is on %s: a power cut loses everything that was not sent", p.Store, fs)
		c.Remedy = "set buffer.path to a file on a disk or card"
	}
	if owner, file := ownerOf(dir), ownerOf(p.Store); c.Level == OK && file != "" && file != owner {
		c.Level, c.Detail = Fail, fmt.Sprintf("%s belongs to %s and its directory to %s: the gateway once ran as another user", p.Store, file, owner)
		c.Remedy = fmt.Sprintf("sudo chown -R --reference=%s %s", dir, dir)
	}
	return []Check{c, p.room(dir)}
}

// ownerOf returns the name of a file's owner, or "" if there is no such file.
func ownerOf(name string) string {
	var st unix.Stat_t
	if unix.Stat(name, &st) != nil {
		return ""
	}
	id := strconv.FormatUint(uint64(st.Uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

// room compares the free space with what the store may grow to.
func (p *Config) room(dir string) Check {
	c := Check{Subject: "disk", Level: OK}
	var fsys unix.Statfs_t
	if err := unix.Statfs(dir, &fsys); err != nil {
		c.Level, c.Detail = Fail, fmt.Sprintf("%s: %v", dir, err)
		return c
	}
	if fsys.Blocks == 0 {
		c.Detail = dir + ": the file system does not report its free space"
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
	c.Detail = fmt.Sprintf("%s free; the store uses %s of %s", size(free), size(used), size(b.MaxBytes))
	const remedy = "free some space (sudo journalctl --vacuum-size=50M, sudo apt-get clean), or set a smaller buffer.max_bytes"
	switch {
	case fsys.Flags&unix.ST_RDONLY != 0:
		c.Level, c.Detail, c.Remedy = Fail, dir+" is on a file system that is mounted read-only", "sudo dmesg shows why; a worn-out SD card does that"
	case free < b.MinFree:
		c.Level, c.Remedy = Fail, remedy
		c.Detail += fmt.Sprintf(": less than the %s that must stay free (buffer.min_free), so the store does not grow", size(b.MinFree))
	case free < b.MinFree+grows:
		c.Level, c.Remedy = Warn, remedy
		c.Detail += fmt.Sprintf(": in a long outage the store cannot grow to its limit and leave %s free (buffer.min_free)", size(b.MinFree))
	}
	return c
}

func size(s config.Size) string { return health.Bytes(float64(s)) }

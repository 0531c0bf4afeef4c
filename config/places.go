package config

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Where the service keeps what its configuration does not name. systemd/fieldgate.service has
// systemd make both.
const (
	serviceState   = "/var/lib/fieldgate"
	serviceRuntime = "/run/fieldgate"
)

// Places are the directories of a gateway.
type Places struct {
	State   string // of the store and the last good configuration
	Runtime string // of the control socket
}

// Store is the store's file of a gateway with this configuration.
func (p Places) Store(c *Config) string {
	if c.Buffer.Path != "" {
		return c.Buffer.Path
	}
	return filepath.Join(p.State, "queue.db")
}

// Socket is where a gateway with this configuration listens.
func (p Places) Socket(c *Config) string {
	if c.Control.Socket != "" {
		return c.Control.Socket
	}
	return filepath.Join(p.Runtime, "control.sock")
}

// Make makes what is missing of the directories that a gateway with this configuration needs, for
// this user alone.
func (p Places) Make(c *Config) error {
	if err := os.MkdirAll(p.State, 0o700); err != nil {
		return fmt.Errorf("creating the directory for the store: %w: name another one with --state-dir", err)
	}
	if c.Control.Socket != "" {
		return nil
	}
	if err := os.MkdirAll(p.Runtime, 0o700); err != nil {
		return fmt.Errorf("creating the directory for the control socket: %w: set control.socket, or RUNTIME_DIRECTORY", err)
	}
	return nil
}

// A Surrounding is what decides about places.
type Surrounding struct {
	UID      int
	Env      func(string) string
	Home     func() (string, error)
	Writable func(dir string) bool // by this user, and there
	Owned    func(dir string) bool // by this user, and there
}

// ThisProcess is the surrounding of this process.
func ThisProcess() Surrounding {
	uid := os.Geteuid()
	return Surrounding{
		UID: uid, Env: os.Getenv, Home: home,
		Writable: func(dir string) bool { return unix.Access(dir, unix.W_OK|unix.X_OK) == nil },
		Owned: func(dir string) bool {
			i, err := os.Stat(dir)
			if err != nil {
				return false
			}
			st, ok := i.Sys().(*syscall.Stat_t)
			return ok && i.IsDir() && int(st.Uid) == uid
		},
	}
}

// home is the user's home directory.
func home() (string, error) {
	if dir, err := os.UserHomeDir(); err == nil {
		return dir, nil
	}
	u, err := user.Current()
	if err != nil {
		return "", err
	}
	return u.HomeDir, nil
}

// Places returns where a gateway that is started here has its directories. systemd names those of a
// service; root and anyone who may write to the service's state directory have the service's; any
// other user has directories of the user's own, as the XDG base directory specification lays them
// out.
func (s Surrounding) Places() (Places, error) {
	p := Places{State: s.Env("STATE_DIRECTORY"), Runtime: s.Env("RUNTIME_DIRECTORY")}
	switch {
	case p.State != "" && p.Runtime != "":
	case s.service():
		if p.State == "" {
			p.State = serviceState
		}
		if p.Runtime == "" {
			p.Runtime = serviceRuntime
		}
	default:
		own, err := s.ownState()
		if err != nil {
			return p, err
		}
		if p.State == "" {
			p.State = own
		}
		if p.Runtime == "" {
			p.Runtime = s.ownRuntime(own)
		}
	}
	return p, nil
}

// service reports whether a gateway that is started here is the service, or stands in for it.
func (s Surrounding) service() bool {
	return s.UID == 0 || s.Env("STATE_DIRECTORY") != "" || s.Writable(serviceState)
}

// Running returns the places in which a gateway may run that this user means, the most likely
// first.
func (s Surrounding) Running() []Places {
	service := Places{State: serviceState, Runtime: serviceRuntime}
	p, err := s.Places()
	if err != nil {
		return []Places{service}
	}
	all := []Places{p}
	if s.service() || s.Env("RUNTIME_DIRECTORY") != "" {
		return all
	}
	// A gateway that was started in a session and is looked for from outside of it, or the other
	// way round.
	for _, dir := range []string{s.session(), p.State} {
		if dir != p.Runtime {
			all = append(all, Places{State: p.State, Runtime: dir})
		}
	}
	return append(all, service)
}

func (s Surrounding) ownState() (string, error) {
	if dir := s.Env("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "fieldgate"), nil
	}
	dir, err := s.Home()
	if err == nil && !filepath.IsAbs(dir) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return "", fmt.Errorf("this user has no home directory (%w): name a directory for the store with --state-dir, or set XDG_STATE_HOME", err)
	}
	return filepath.Join(dir, ".local", "state", "fieldgate"), nil
}

// ownRuntime is the runtime directory of the user's session, or the state directory if there is
// none.
func (s Surrounding) ownRuntime(state string) string {
	if dir := s.Env("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) && s.Owned(dir) {
		return filepath.Join(dir, "fieldgate")
	}
	return state
}

// session is the runtime directory that systemd gives to the user's sessions.
func (s Surrounding) session() string {
	return filepath.Join("/run/user", strconv.Itoa(s.UID), "fieldgate")
}

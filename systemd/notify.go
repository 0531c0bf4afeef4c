// Package systemd speaks sd_notify(3), the protocol with which a service reports its state to its
// manager. The units that rely on it are in the same folder.
package systemd

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// A Notifier reports to systemd. A nil Notifier does nothing, so that the program runs the same
// without systemd.
type Notifier struct {
	conn     *net.UnixConn
	watchdog time.Duration
	status   string
}

// NewNotifier returns a notifier for the manager that the environment names, or nil if there is
// none.
func NewNotifier() (*Notifier, error) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil, nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("sd_notify at $NOTIFY_SOCKET: %w", err)
	}
	n := &Notifier{conn: conn}
	if pid := os.Getenv("WATCHDOG_PID"); pid == "" || pid == strconv.Itoa(os.Getpid()) {
		if us, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64); err == nil && us > 0 {
			n.watchdog = time.Duration(us) * time.Microsecond
		}
	}
	return n, nil
}

// Ready reports that the service is working.
func (n *Notifier) Ready() { n.send("READY=1") }

// Reloading reports that the service restarts within the same process, until Ready.
func (n *Notifier) Reloading() {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err == nil {
		n.send(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", now.Nano()/1000))
	}
}

// Stopping reports that the service is ending; systemd makes sure that it does.
func (n *Notifier) Stopping() { n.send("STOPPING=1") }

// Status sets the line that `systemctl status` shows. One goroutine calls it; the same line is sent
// once.
func (n *Notifier) Status(line string) {
	if n != nil && line != n.status {
		n.status = line
		n.send("STATUS=" + line)
	}
}

// Watchdog reports that the service is alive.
func (n *Notifier) Watchdog() { n.send("WATCHDOG=1") }

// WatchdogInterval is how often Watchdog must be called, half of what the unit's WatchdogSec
// allows; 0 means not at all.
func (n *Notifier) WatchdogInterval() time.Duration {
	if n == nil {
		return 0
	}
	return n.watchdog / 2
}

// send writes one datagram. If the manager does not accept it there is no other way to report that,
// so the error is ignored.
func (n *Notifier) send(state string) {
	if n != nil {
		_, _ = n.conn.Write([]byte(state))
	}
}

// Package systemd speaks sd_notify(3), the protocol by which a service tells its manager how it does. The units that rely
// on it stand beside it.
package systemd

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// A Notifier tells systemd. A nil Notifier does nothing, so that the program runs the same without systemd.
type Notifier struct {
	conn     *net.UnixConn
	watchdog time.Duration
}

// NewNotifier returns a notifier for the manager that the environment names, or nil where there is none.
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

// Ready says that the service does its work.
func (n *Notifier) Ready() { n.send("READY=1") }

// Reloading says that the service starts over, as the same process; Ready ends that.
func (n *Notifier) Reloading() {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err == nil {
		n.send(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", now.Nano()/1000))
	}
}

// Stopping says that the service ends for good: systemd sees to it that it does.
func (n *Notifier) Stopping() { n.send("STOPPING=1") }

// Status gives the line that `systemctl status` shows.
func (n *Notifier) Status(line string) { n.send("STATUS=" + line) }

// Watchdog says that the service is alive.
func (n *Notifier) Watchdog() { n.send("WATCHDOG=1") }

// WatchdogInterval is how often Watchdog must be called, half of what the unit's WatchdogSec allows; 0: it need not be.
func (n *Notifier) WatchdogInterval() time.Duration {
	if n == nil {
		return 0
	}
	return n.watchdog / 2
}

// send writes one datagram. A manager that does not take it cannot be told otherwise: the error has no taker.
func (n *Notifier) send(state string) {
	if n != nil {
		_, _ = n.conn.Write([]byte(state))
	}
}

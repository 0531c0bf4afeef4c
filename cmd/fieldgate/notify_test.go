package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What systemd hears of the real program: READY when it works, the watchdog, and a state that is
// not older than some seconds.
func TestNotify(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	// hear waits for a message that begins with prefix.
	hear := func(prefix string, limit time.Duration) {
		t.Helper()
		var heard []string
		buf := make([]byte, 4096)
		if err := manager.SetReadDeadline(time.Now().Add(limit)); err != nil {
			t.Fatal(err)
		}
		for {
			n, err := manager.Read(buf)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("no %s within %v; instead: %q", prefix, limit, heard)
			} else if err != nil {
				t.Fatal(err)
			}
			heard = append(heard, string(buf[:n]))
			if strings.HasPrefix(string(buf[:n]), prefix) {
				return
			}
		}
	}
	m := newMosquitto(t)
	g := newGateway(t, m.url(), waveSensor)
	g.env = []string{"NOTIFY_SOCKET=" + socket, "WATCHDOG_USEC=60000000"}
	g.start()
	hear("READY=1", 20*time.Second)
	hear("WATCHDOG=1", 10*time.Second)
	hear("STATUS=online; 1 of 1 sensors ok", 20*time.Second)
	m.stop()
	hear("STATUS=offline", 20*time.Second)
	if code := g.stop(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	hear("STOPPING=1", 10*time.Second)
}

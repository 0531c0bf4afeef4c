package systemd_test

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/systemd"
)

func TestNotifierSpeaksToTheManager(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "60000000")
	n, err := systemd.NewNotifier()
	if err != nil {
		t.Fatal(err)
	}
	if n.WatchdogInterval() != 30*time.Second {
		t.Errorf("watchdog every %v", n.WatchdogInterval())
	}
	for _, tt := range []struct {
		tell func()
		want string
	}{
		{n.Ready, "READY=1"},
		{func() { n.Status("online; 3 of 3 sensors ok") }, "STATUS=online; 3 of 3 sensors ok"},
		{func() { n.Status("online; 3 of 3 sensors ok"); n.Watchdog() }, "WATCHDOG=1"}, // the same line is sent once
		{n.Reloading, "RELOADING=1\nMONOTONIC_USEC="},
		{n.Stopping, "STOPPING=1"},
	} {
		tt.tell()
		buf := make([]byte, 256)
		if err := manager.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		size, err := manager.Read(buf)
		if got := string(buf[:size]); err != nil || !strings.HasPrefix(got, tt.want) {
			t.Errorf("want %q, got %q, %v", tt.want, got, err)
		}
	}
}

func TestNoManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	n, err := systemd.NewNotifier()
	if n != nil || err != nil {
		t.Fatalf("got %v, %v", n, err)
	}
	n.Ready() // nothing happens
	if n.WatchdogInterval() != 0 {
		t.Error("a watchdog without a manager")
	}
}

func TestWatchdogOfAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "60000000")
	t.Setenv("WATCHDOG_PID", "1")
	n, err := systemd.NewNotifier()
	if err != nil || n.WatchdogInterval() != 0 {
		t.Errorf("got %v, %v", n.WatchdogInterval(), err)
	}
}

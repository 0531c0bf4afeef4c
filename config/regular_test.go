package config_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fieldgate/fieldgate/config"
)

// None of these may block or be read without end.
func TestWhatIsNoFileIsRefusedAtOnce(t *testing.T) {
	dir := t.TempDir()
	fifo, large, link, socket := filepath.Join(dir, "fifo"), filepath.Join(dir, "large"), filepath.Join(dir, "link"), filepath.Join(dir, "socket")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := errors.Join(syscall.Mkfifo(fifo, 0o600), os.WriteFile(large, nil, 0o600), os.Truncate(large, 1<<40), os.Symlink("/dev/zero", link)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{fifo: "a named pipe", large: "larger than 4 KiB", link: "a device", socket: "a socket", dir: "a directory", "/dev/zero": "a device"} {
		text, err := config.ReadFile(name, 4<<10)
		if !errors.Is(err, config.ErrIrregular) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), want) || text != nil {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	if _, err := config.ReadFile(filepath.Join(dir, "none"), 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "good"), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := config.ReadFile(filepath.Join(dir, "good"), 4); string(text) != "text" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
	// its size is 0
	if text, err := config.ReadFile("/proc/self/status", 64<<10); len(text) == 0 || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
}

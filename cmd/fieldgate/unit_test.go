package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The drop-in that the example's configuration needs is one that systemd takes, also in a folder
// that does not exist yet.
func TestUnit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	service, err := os.ReadFile("../../systemd/fieldgate.service")
	if err != nil {
		t.Fatal(err)
	}
	unit, dropIn := filepath.Join(dir, "fieldgate.service"), filepath.Join(dir, "fieldgate.service.d", "rights.conf")
	if err := os.WriteFile(unit, []byte(strings.NewReplacer("/usr/lib/fieldgate/start", "/bin/true", "/usr/bin/fieldgate", "/bin/true").Replace(string(service))), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := run([]string{"unit", "-o", dropIn, "-c", filepath.Join(docs, "fieldgate.example.toml")}); code != exitDone {
		t.Fatalf("exit code %d", code)
	}
	text, err := os.ReadFile(dropIn)
	if err != nil || !strings.Contains(string(text), "\nDeviceAllow=char-89 rw\n") {
		t.Errorf("%s, %v", text, err)
	}
	if code := run([]string{"unit", "-c", filepath.Join(dir, "none.toml")}); code != exitUsage {
		t.Errorf("without a configuration: exit code %d", code)
	}
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	if out, err := exec.Command("systemd-analyze", "verify", "--man=no", unit).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}

package board

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/all"
)

// TestModelsBehindARealAdapter runs every driver for I2C, through the kernel, against the model of
// its chip; then disturbs wire and adapter.
func TestModelsBehindARealAdapter(t *testing.T) {
	dir := needs(t)
	begin := time.Now()
	m := boot(t, virt(dir, spec{
		modules: []string{"vhci-hcd", "i2c-dev", "i2c-tiny-usb"},
		files:   []string{filepath.Join(dir, "bin/usbip")},
	}))
	m.send("usbip")
	done := map[string]bool{}
	for {
		found := m.expect(time.Minute, `^(DONE|CASE (.*?): (ok|FAILED): .*)`)
		if found[1] == "DONE" {
			break
		}
		t.Log(found[1])
		done[found[2]] = found[3] == "ok"
		if found[3] != "ok" {
			t.Errorf("case %q failed", found[2])
		}
	}
	want := []string{
		"plug in", "absent address", "wrong chip", "busy chip", "wrong checksum sht3x", "wrong checksum sht4x", "wrong checksum scd4x",
		"hanging adapter", "unplugged", "unplugged while hanging", "periph's registry",
	}
	for _, s := range all.Specs() {
		if s.Bus == drivers.I2CBus {
			want = append(want, "read "+s.Name)
		}
	}
	for _, name := range want {
		if !done[name] {
			t.Errorf("case %q is not there", name)
		}
	}
	t.Logf("%d cases in %v", len(done), since(begin))
}

// virt completes a machine with QEMU's own 64-bit board.
func virt(dir string, s spec) spec {
	s.qemu = append([]string{"qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53", "-m", "512", "-nic", "none", "-serial", "chardev:console"}, s.qemu...)
	s.kernel = "arm64"
	s.params = append(s.params, "console=ttyAMA0")
	return s
}

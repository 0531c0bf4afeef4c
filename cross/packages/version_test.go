// Package packages has tests of the scripts that make the packages.
package packages

import (
	"os/exec"
	"strings"
	"testing"
)

// version is what version.sh makes of the words of git describe.
func version(t *testing.T, describe string) string {
	t.Helper()
	out, err := exec.Command("./version.sh", describe, "2026-11-29T05:33:53+01:00").CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", describe, err, out)
	}
	return strings.TrimSpace(string(out))
}

// TestVersionsAreInOrder: dpkg takes each version for newer than the one before.
func TestVersionsAreInOrder(t *testing.T) {
	list := []struct{ describe, want string }{
		{"c9b6b80", "0~20261129.043353.c9b6b80"},
		{"c9b6b80-dirty", "0~20261129.043353.c9b6b80+dirty"},
		{"v0.1.0-rc.2", "0.1.0~rc.2"},
		{"v0.1.0-rc.10", "0.1.0~rc.10"},
		{"v0.1.0-rc.10-5-gabcdef0", "0.1.0~rc.10+5.gabcdef0"},
		{"v0.1.0", "0.1.0"},
		{"v0.1.0-5-gabcdef0", "0.1.0+5.gabcdef0"},
		{"v0.1.0-5-gabcdef0-dirty", "0.1.0+5.gabcdef0+dirty"},
		{"v0.1.0-12-gabcdef0", "0.1.0+12.gabcdef0"},
		{"v0.1.1-rc.1", "0.1.1~rc.1"},
	}
	for i, tt := range list {
		if got := version(t, tt.describe); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.describe, got, tt.want)
		}
		if _, err := exec.LookPath("dpkg"); err != nil || i == 0 {
			continue
		}
		if err := exec.Command("dpkg", "--compare-versions", list[i-1].want, "lt", tt.want).Run(); err != nil {
			t.Errorf("dpkg does not take %s for newer than %s: %v", tt.want, list[i-1].want, err)
		}
	}
}

func TestNoVersion(t *testing.T) {
	for _, describe := range []string{"nightly", "v1", "release-3", ""} {
		if out, err := exec.Command("./version.sh", describe, "2026-11-29T05:33:53+01:00").CombinedOutput(); err == nil || !strings.Contains(string(out), "is not a version") {
			t.Errorf("%q: %v, %s", describe, err, out)
		}
	}
}

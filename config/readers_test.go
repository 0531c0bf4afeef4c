package config

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestReaders(t *testing.T) {
	const file = "/etc/fieldgate/fieldgate.toml"
	for _, tt := range []struct {
		name string
		mode uint32
		want string
	}{
		{"of a group", 0o640, "the user root and the group fieldgate may read it: run this with sudo, or as a user of that group"},
		{"of its owner alone", 0o600, "only the user root may read it: run this with sudo, or let the service's group read it: sudo chgrp fieldgate " + file + " && sudo chmod 640 " + file},
	} {
		if got := mayRead(file, tt.mode, "root", "fieldgate"); got != tt.want {
			t.Errorf("%s: want %q, got %q", tt.name, tt.want, got)
		}
	}
	if got := readers(filepath.Join(t.TempDir(), "no-such")); !strings.Contains(got, "run this with sudo") {
		t.Errorf("got %q", got)
	}
	if got := readers(t.TempDir()); !strings.Contains(got, "the user "+userName(uint32(syscall.Getuid()))) {
		t.Errorf("got %q", got)
	}
	if userName(0) != "root" || userName(4_000_000_000) != "4000000000" || groupName(4_000_000_000) != "4000000000" {
		t.Errorf("got %q, %q, %q", userName(0), userName(4_000_000_000), groupName(4_000_000_000))
	}
}

package setup

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

// TestCertificateForgesNoLine: what a broker writes into its certificate stays in the line that it
// belongs to: it shows no fingerprint of its own choice, and asks nothing.
func TestCertificateForgesNoLine(t *testing.T) {
	forged := "x\n  SHA-256 fingerprint:\n    AA:BB" + strings.Repeat(" AA:BB:CC", 30)
	template := x509.Certificate{Subject: pkix.Name{CommonName: forged}, Issuer: pkix.Name{CommonName: forged}, DNSNames: []string{"localhost", forged}, NotAfter: time.Now().Add(time.Hour)}
	c, s := conversation(t, nil)
	run := &session{Config: c}
	run.show("The certificate that the broker shows:", certificateOf(t, template, nil).Leaf)
	for line := range strings.Lines(s.said.String()) {
		if strings.HasPrefix(line, "    AA:BB") {
			t.Errorf("a line of the certificate's own:\n%s", &s.said)
		}
		if utf8.RuneCountInString(line) > 80 {
			t.Errorf("the terminal breaks a line at a place that the certificate chooses:\n%s", line)
		}
	}
	if n := strings.Count("\n"+s.said.String(), "\n  SHA-256 fingerprint:\n"); n != 1 {
		t.Errorf("%d fingerprints:\n%s", n, &s.said)
	}
}

// TestUmask: the service can enter a directory that was made for it, whatever root's umask is.
func TestUmask(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	dir, gid := filepath.Join(t.TempDir(), "fieldgate"), os.Getgid()
	for name, tt := range map[string]struct {
		group *int
		mode  os.FileMode
	}{"service": {&gid, 0o755}, "user": {nil, 0o700}} {
		c, _ := conversation(t, map[string][]string{"Its name": {"-"}})
		c.File, c.Group = filepath.Join(dir+name, "fieldgate.toml"), tt.group
		if _, err := Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(dir + name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != tt.mode {
			t.Errorf("%s: the directory has %v, want %v", name, info.Mode().Perm(), tt.mode)
		}
	}
}

// TestStageThatWasKilled: the next run removes what one that was killed has left, the password
// among it, and leaves alone the stage of one that runs.
func TestStageThatWasKilled(t *testing.T) {
	c, _ := conversation(t, map[string][]string{"Its name": {"-"}})
	dir := filepath.Dir(c.File)
	runs, err := newStage(filepath.Join(dir, "other.toml"), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer runs.remove()
	killed := filepath.Join(dir, stagePrefix+"123")
	if err := os.Mkdir(killed, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(killed, passwordName), []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	elsewhere := t.TempDir()
	if err := os.Symlink(elsewhere, filepath.Join(dir, stagePrefix+"link")); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(killed); err == nil {
		t.Error("the password is still there")
	}
	for _, name := range []string{runs.dir, elsewhere} {
		if _, err := os.Lstat(name); err != nil {
			t.Error(err)
		}
	}
}

package enrol

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"github.com/fieldgate/fieldgate/config"
)

// TestDisk: the files have the right modes, and only one may enrol at a time.
func TestDisk(t *testing.T) {
	w := newWorld()
	e := w.enrolment(slog.New(slog.DiscardHandler))
	e.cfg.Dir, e.cfg.FS, e.fs = filepath.Join(t.TempDir(), "enrolled"), nil, Disk{}
	claim := filepath.Join(t.TempDir(), "claim.key")
	if err := os.WriteFile(claim, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	e.cfg.Claim = []string{claim}
	e.cfg.Try = func(context.Context, string) error { return nil }
	second := New(e.cfg)
	if finished, err := second.Finish(); finished || err != nil {
		t.Errorf("before the first attempt: %v, %v", finished, err)
	}
	if err := e.open(); err != nil {
		t.Fatal(err)
	}
	if err := second.Attempt(t.Context()); !errors.Is(err, ErrBusy) {
		t.Errorf("a second one: %v", err)
	}
	if err := e.Attempt(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.Close()
	modes := map[string]fs.FileMode{}
	_ = filepath.Walk(e.cfg.Dir, func(name string, info fs.FileInfo, err error) error {
		if err == nil {
			modes[filepath.Base(name)] = info.Mode()
		}
		return err
	})
	want := map[string]fs.FileMode{"enrolled": fs.ModeDir | 0o700, "device.key": 0o600, "device.pem": 0o600, "enrolled.toml": 0o600, "state.json": 0o600, "lock": 0o600}
	if !maps.Equal(modes, want) {
		t.Errorf("got %v", modes)
	}
	if _, err := os.Stat(claim); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the claim is still there")
	}
	if finished, err := second.Finish(); !finished || err != nil {
		t.Errorf("it is not finished: %v", err)
	}
	// A power cut before the claim was deleted, and a file that somebody has deleted.
	for _, gone := range []string{claim, filepath.Join(e.cfg.Dir, config.EnrolledFile)} {
		state := filepath.Join(e.cfg.Dir, stateFile)
		text, err := os.ReadFile(state)
		if err == nil && gone == claim {
			err = errors.Join(os.WriteFile(claim, []byte("x"), 0o600), os.WriteFile(state, []byte(strings.Replace(string(text), `"done"`, `"proven"`, 1)), 0o600))
		} else if err == nil {
			err = os.Remove(gone)
		}
		if err != nil {
			t.Fatal(err)
		}
		second.Close()
		second = New(e.cfg)
		if finished, err := second.Finish(); !finished || err != nil || second.state.Step != done {
			t.Errorf("%s: finished %v, %v", gone, finished, err)
		}
	}
	if _, err := os.Stat(claim); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the claim is there again")
	}
	if _, err := os.Stat(filepath.Join(e.cfg.Dir, config.EnrolledFile)); err != nil {
		t.Error(err)
	}
	second.Close()
}

// TestClaimThatStays: what the service may not delete is named with the remedy, then and later.
func TestClaimThatStays(t *testing.T) {
	w := newWorld()
	w.failAt["remove claim.key"] = syscall.EROFS
	var log strings.Builder
	if err := w.enrolment(slog.New(slog.NewTextHandler(&log, nil))).Attempt(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), `remedy="sudo rm /etc/claim.key"`) || strings.Contains(log.String(), "sudo rm /etc/claim.pem") || w.card[claimKey] == "" || w.card[claimCert] != "" {
		t.Errorf("key %q, certificate %q\n%s", w.card[claimKey], w.card[claimCert], &log)
	}
	key := filepath.Join(t.TempDir(), "claim.key")
	if err := os.WriteFile(key, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := &config.Config{Enrol: config.Enrol{ClaimCert: "/nowhere", ClaimKey: key, Template: "t"}}
	if left := Leftover(c); left != nil {
		t.Errorf("before it is enrolled: %q", left)
	}
	c.MQTT.TLS.CertFile = "/device.pem"
	if left := Leftover(c); len(left) != 1 || !strings.HasSuffix(left[0], ": sudo rm "+key) {
		t.Errorf("got %q", left)
	}
}

func TestFragmentIsTOML(t *testing.T) {
	e := New(Config{Dir: dir})
	const prefix = "a\"b\\c\n${HOME}"
	text := e.fragment(&state{Thing: `gw:1`, Configuration: map[string]string{"topic_prefix": prefix}})
	var got struct {
		Gateway struct {
			TopicPrefix string `toml:"topic_prefix"`
		} `toml:"gateway"`
	}
	if err := toml.Unmarshal([]byte(text), &got); err != nil || strings.ReplaceAll(got.Gateway.TopicPrefix, "$$", "$") != prefix {
		t.Errorf("%q, %v", got.Gateway.TopicPrefix, err)
	}
	if strings.Contains(text, "\nid = ") {
		t.Errorf("a thing's name that cannot be gateway.id became one:\n%s", text)
	}
}

func TestSerial(t *testing.T) {
	file := filepath.Join(t.TempDir(), "serial-number")
	mac := func(s string) []net.Interface {
		a, err := net.ParseMAC(s)
		if err != nil {
			t.Fatal(err)
		}
		return []net.Interface{{Flags: net.FlagLoopback}, {HardwareAddr: a}}
	}
	for _, v := range []struct{ text, mac, want string }{
		{"10000000abcd\x00", "b8:27:eb:01:02:aa", "10000000abcd"},
		{"", "b8:27:eb:01:02:aa", "b827eb0102aa"},
		{"0000000000000000\x00", "b8:27:eb:01:02:aa", "b827eb0102aa"},
		{"To be filled\x00", "02:42:ac:11:00:02", "machine"},
	} {
		if err := os.WriteFile(file, []byte(v.text), 0o600); err != nil {
			t.Fatal(err)
		}
		b := Board{file, func() ([]net.Interface, error) { return mac(v.mac), nil }, "machine"}
		if got := b.Serial(); got != v.want {
			t.Errorf("%+v: got %q", v, got)
		}
	}
}

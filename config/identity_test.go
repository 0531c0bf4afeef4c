package config

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Boards of one image must not have one identity: what says nothing is not taken for an id.
func TestIdentityComesFromNothingThatAllBoardsHave(t *testing.T) {
	card := func(address string) func() ([]net.Interface, error) {
		return func() ([]net.Interface, error) {
			a, err := net.ParseMAC(address)
			return []net.Interface{{Name: "lo", Flags: net.FlagLoopback}, {Name: "docker0", HardwareAddr: net.HardwareAddr{2, 0x42, 1, 2, 3, 4}}, {Name: "eth0", HardwareAddr: a}}, err
		}
	}
	const missing = "missing"
	for _, tt := range []struct{ name, text string }{
		{"missing", missing}, {"empty", ""}, {"blank", "\n"}, {"uninitialized", "uninitialized\n"}, {"zero", strings.Repeat("0", 32) + "\n"}, {"short", "abc\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			board := func(address string) machine {
				dir := t.TempDir()
				m := machine{filepath.Join(dir, "etc"), card(address), dir}
				if tt.text != missing {
					if err := os.WriteFile(m.idFile, []byte(tt.text), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				return m
			}
			for _, addresses := range [][2]string{{"b8:27:eb:00:00:01", "b8:27:eb:00:00:02"}, {"02:00:00:00:00:01", "02:00:00:00:00:01"}} {
				a, b := board(addresses[0]), board(addresses[1])
				one, err := a.identify()
				if err != nil {
					t.Fatal(err)
				}
				two, err := b.identify()
				if err != nil {
					t.Fatal(err)
				}
				again, err := a.identify()
				if err != nil || again != one {
					t.Errorf("not the same twice: %v, %v, %v", one, again, err)
				}
				if one.hash == two.hash || one.warning == "" || !strings.Contains(one.warning, "set gateway.id") {
					t.Errorf("two boards: %v, %v", one, two)
				}
			}
			m := board("02:00:00:00:00:01")
			m.stateDir = "/no/such/directory"
			if id, err := m.identify(); err == nil {
				t.Errorf("an id that is kept nowhere: %v", id)
			}
		})
	}
	m := machine{filepath.Join(t.TempDir(), "id"), card("b8:27:eb:00:00:01"), ""}
	if err := os.WriteFile(m.idFile, []byte("0123456789abcdef0123456789abcdef\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if id, err := m.identify(); err != nil || id.warning != "" {
		t.Errorf("got %v, %v", id, err)
	}
}

// What protects less than it seems to is not silent, even if it is not a mistake.
func TestPasswordInTheClearIsAWarning(t *testing.T) {
	for url, want := range map[string]bool{"mqtt://broker.example.com": true, "ws://10.0.0.1/mqtt": true, "mqtt://127.0.0.1": false, "mqtt://localhost:1884": false,
		"mqtt://[::1]": false, "mqtts://broker.example.com": false, "unix:///run/mosquitto.sock": false} {
		c := Config{MQTT: MQTT{URLs: []string{url}, Username: "u", PasswordEnv: "P"}}
		if got := c.Warnings(); (len(got) > 0) != want {
			t.Errorf("%s: %q", url, got)
		}
		c.MQTT.PasswordEnv = ""
		if got := c.Warnings(); len(got) > 0 {
			t.Errorf("%s without a password: %q", url, got)
		}
	}
}

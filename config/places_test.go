package config

import (
	"errors"
	"slices"
	"testing"
)

func TestPlaces(t *testing.T) {
	home := map[string]string{"HOME": "/home/u"}
	with := func(more ...string) map[string]string {
		env := map[string]string{"HOME": "/home/u"}
		for i := 0; i < len(more); i += 2 {
			env[more[i]] = more[i+1]
		}
		return env
	}
	own := Places{"/home/u/.local/state/fieldgate", "/home/u/.local/state/fieldgate"}
	service := Places{"/var/lib/fieldgate", "/run/fieldgate"}
	tests := []struct {
		name     string
		uid      int
		env      map[string]string
		writable bool
		want     Places
		running  []string // runtime directories
	}{
		{"root", 0, home, true, service, []string{"/run/fieldgate"}},
		{"root in a session", 0, with("XDG_RUNTIME_DIR", "/run/user/0"), true, service, []string{"/run/fieldgate"}},
		{"the unit", 997, with("STATE_DIRECTORY", "/s", "RUNTIME_DIRECTORY", "/r"), false, Places{"/s", "/r"}, []string{"/r"}},
		{"the unit without a runtime directory", 997, with("STATE_DIRECTORY", "/s"), false, Places{"/s", "/run/fieldgate"}, []string{"/run/fieldgate"}},
		{"the service's user by hand", 997, home, true, service, []string{"/run/fieldgate"}},
		{"a user without a session", 1000, home, false, own, []string{"/home/u/.local/state/fieldgate", "/run/user/1000/fieldgate", "/run/fieldgate"}},
		{"a user in a session", 1000, with("XDG_RUNTIME_DIR", "/run/user/1000"), false,
			Places{"/home/u/.local/state/fieldgate", "/run/user/1000/fieldgate"}, []string{"/run/user/1000/fieldgate", "/home/u/.local/state/fieldgate", "/run/fieldgate"}},
		{"in somebody else's session", 1000, with("XDG_RUNTIME_DIR", "/run/user/0"), false, own, []string{"/home/u/.local/state/fieldgate", "/run/user/1000/fieldgate", "/run/fieldgate"}},
		{"with a state directory of its own", 1000, with("XDG_STATE_HOME", "/data/state"), false, Places{"/data/state/fieldgate", "/data/state/fieldgate"}, nil},
		{"with a relative one, which counts for nothing", 1000, with("XDG_STATE_HOME", "state"), false, own, nil},
		{"with a socket's directory only", 1000, with("RUNTIME_DIRECTORY", "/r"), false, Places{"/home/u/.local/state/fieldgate", "/r"}, []string{"/r"}},
	}
	for _, test := range tests {
		s := Surrounding{
			UID: test.uid, Env: func(k string) string { return test.env[k] }, Home: func() (string, error) { return test.env["HOME"], nil },
			Writable: func(string) bool { return test.writable }, Owned: func(dir string) bool { return dir == "/run/user/1000" },
		}
		if got, err := s.Places(); got != test.want || err != nil {
			t.Errorf("%s: want %v, got %v, %v", test.name, test.want, got, err)
		}
		var running []string
		for _, p := range s.Running() {
			running = append(running, p.Runtime)
		}
		if test.running != nil && !slices.Equal(running, test.running) {
			t.Errorf("%s: a gateway may run in %q, looked for in %q", test.name, test.running, running)
		}
	}
}

func TestPlacesWithoutAHome(t *testing.T) {
	s := Surrounding{
		UID: 1000, Env: func(string) string { return "" }, Home: func() (string, error) { return "", errors.New("none") },
		Writable: func(string) bool { return false }, Owned: func(string) bool { return false },
	}
	if p, err := s.Places(); err == nil {
		t.Errorf("got %v", p)
	}
	if all := s.Running(); len(all) != 1 || all[0].Runtime != serviceRuntime {
		t.Errorf("got %v", all)
	}
}

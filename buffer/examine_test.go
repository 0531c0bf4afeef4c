package buffer

import (
	"os"
	"path/filepath"
	"testing"
)

// TestOpenRefuses has what Examine finds; here is what it must let pass, which it leaves as it is.
func TestExamineSound(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(t *testing.T) (path string)
	}{
		{"no store yet", func(t *testing.T) string { return filepath.Join(t.TempDir(), "queue.db") }},
		{"closed", func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "queue.db")
			closeStore(t, openAt(t, path, Options{}))
			return path
		}},
		{"killed", func(t *testing.T) string { path, _ := killed(t, 20); return path }},
		{"an unreleased version's", unreleased},
		{"a header that is damaged", func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "queue.db")
			closeStore(t, openAt(t, path, Options{}))
			edit(t, path, func(b []byte) []byte { clear(b[:100]); return b })
			return path
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := tt.make(t)
			before := contents(t, filepath.Dir(path))
			for range 2 {
				if err := Examine(path); err != nil {
					t.Error(err)
				}
			}
			if after := contents(t, filepath.Dir(path)); after != before {
				t.Errorf("changed:\n%s\nwas\n%s", after, before)
			}
			closeStore(t, openAt(t, path, Options{}))
		})
	}
}

// contents tells the names, rights and contents of a directory's files.
func contents(t *testing.T, dir string) (text string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		text += e.Name() + e.Type().String() + string(b)
	}
	return text
}

// Nobody but the gateway's user reads what it keeps.
func TestRightsOfTheFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := openAt(t, path, Options{})
	defer closeStore(t, s)
	mustAppend(t, s, Readings, "a", "x")
	for _, name := range []string{path, path + "-wal", path + ".lock", path + ".ballast"} {
		if st, err := os.Stat(name); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, st.Mode(), err)
		}
	}
}

package systemd

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// unitPath is where systemd looks for units and drop-ins, see systemd.unit(5).
var unitPath = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

// ChangedCredentials returns the names of this service's credentials whose files (LoadCredential=)
// were written after the service started: it goes on with what was in them then, also after a
// reload. What cannot be looked at counts as unchanged.
func ChangedCredentials() []string {
	return changedCredentials(os.Getenv("CREDENTIALS_DIRECTORY"), unitPath)
}

func changedCredentials(loaded string, path []string) (names []string) {
	if loaded == "" {
		return nil
	}
	unit := filepath.Base(loaded)
	for _, dir := range path {
		files, _ := filepath.Glob(filepath.Join(dir, unit+".d", "*.conf"))
		for _, file := range append(files, filepath.Join(dir, unit)) {
			text, err := os.ReadFile(file)
			if err != nil {
				continue
			}
			for line := range strings.Lines(string(text)) {
				value, ok := strings.CutPrefix(strings.TrimSpace(line), "LoadCredential=")
				name, source, both := strings.Cut(value, ":")
				if !ok || !both || filepath.Base(name) != name {
					continue
				}
				copied, err := changedAt(filepath.Join(loaded, name))
				if err != nil {
					continue
				}
				if now, err := changedAt(source); err == nil && now.After(copied) {
					names = append(names, name)
				}
			}
		}
	}
	return names
}

// changedAt returns when a file was last written or put in its place.
func changedAt(file string) (time.Time, error) {
	var st syscall.Stat_t
	if err := syscall.Stat(file, &st); err != nil {
		return time.Time{}, err
	}
	return time.Unix(st.Ctim.Unix()), nil
}

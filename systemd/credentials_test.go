package systemd

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestChangedCredentials(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	password, key := write("secrets/password", "one"), write("secrets/key", "one")
	write("etc/gw.service.d/a.conf", fmt.Sprintf("[Service]\nLoadCredential=password:%s\nLoadCredential=../password:%s\nLoadCredential=embedded\n", password, password))
	write("lib/gw.service", fmt.Sprintf("[Service]\n  LoadCredential=key:%s\n#LoadCredential=other:%s\nLoadCredential=gone:/no/such/file\n", key, key))
	time.Sleep(20 * time.Millisecond) // the kernel's clock of files has ticks of 4 to 10 ms
	for _, name := range []string{"password", "key", "other", "gone", "embedded"} {
		write("run/credentials/gw.service/"+name, "one")
	}
	loaded, path := filepath.Join(root, "run/credentials/gw.service"), []string{filepath.Join(root, "etc"), filepath.Join(root, "none"), filepath.Join(root, "lib")}
	if got := changedCredentials(loaded, path); len(got) != 0 {
		t.Errorf("nothing has changed: %q", got)
	}
	time.Sleep(20 * time.Millisecond)
	write("secrets/password", "two")
	if got := fmt.Sprint(changedCredentials(loaded, path)); got != "[password]" {
		t.Errorf("got %s", got)
	}
	if got := changedCredentials("", path); got != nil {
		t.Errorf("without systemd: %q", got)
	}
}

package credential

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fieldgate/fieldgate/config"
)

func TestPagePassword(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "password")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if password, err := PagePassword(config.Page{}); password != nil || err != nil {
		t.Errorf("none: %q, %v", password, err)
	}
	write("correct horse\r\n")
	if password, err := PagePassword(config.Page{PasswordFile: file}); string(password) != "correct horse" || err != nil {
		t.Errorf("a file: %q, %v", password, err)
	}
	write("another\n")
	if password, err := PagePassword(config.Page{PasswordFile: file}); string(password) != "another" || err != nil {
		t.Errorf("a changed file: %q, %v", password, err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	if password, err := PagePassword(config.Page{PasswordCredential: "password"}); string(password) != "another" || err != nil {
		t.Errorf("a credential: %q, %v", password, err)
	}
	write("\n")
	if password, err := PagePassword(config.Page{PasswordFile: file}); password != nil || err == nil || !strings.Contains(err.Error(), "page.password_file: "+file+" is empty: write the password into it") {
		t.Errorf("an empty file: %q, %v", password, err)
	}
	if _, err := PagePassword(config.Page{PasswordCredential: "none"}); err == nil || !strings.HasPrefix(err.Error(), "page.password_credential: ") {
		t.Errorf("no such credential: %v", err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if _, err := PagePassword(config.Page{PasswordCredential: "password"}); err == nil || !strings.Contains(err.Error(), "LoadCredential=password:") {
		t.Errorf("systemd passed none: %v", err)
	}
}

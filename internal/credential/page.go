package credential

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/fieldgate/fieldgate/config"
)

// PagePassword returns the password of the status page, as its file or credential has it now; nil
// if the configuration names none.
func PagePassword(p config.Page) ([]byte, error) {
	file, key := p.PasswordFile, "page.password_file"
	switch dir := os.Getenv("CREDENTIALS_DIRECTORY"); {
	case p.PasswordCredential == "" && file == "":
		return nil, nil
	case p.PasswordCredential == "":
	case dir == "":
		return nil, fmt.Errorf("page.password_credential: systemd passed no credentials: add LoadCredential=%s:… to the unit", p.PasswordCredential)
	default:
		file, key = filepath.Join(dir, p.PasswordCredential), "page.password_credential"
	}
	password, err := readPassword(file)
	if err == nil && len(password) == 0 {
		err = errors.New(file + " is empty: write the password into it")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return password, nil
}

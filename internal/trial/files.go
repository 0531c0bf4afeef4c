package trial

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/fieldgate/fieldgate/config"
)

// The environment that the launcher makes.
const (
	EnvLauncher  = "FIELDGATE_LAUNCHER"   // path of the launcher: a restart runs it
	EnvTrial     = "FIELDGATE_TRIAL"      // ID of this program if it is on trial
	EnvTakenBack = "FIELDGATE_TAKEN_BACK" // why the former program runs instead of the installed one
)

// Files in the state directory; systemd/start reads them.
const (
	confirmed = "confirmed"
	onTrial   = "trial"
	takenBack = "taken-back"
)

// Files are where the verdict on the program that is on trial is written. A nil Files is of a
// program that is not on trial.
type Files struct {
	dir, id string
}

// Open returns the files of the program's trial in the state directory; nil if the launcher has not
// put it on trial.
func Open(dir string) *Files {
	id := os.Getenv(EnvTrial)
	if id == "" {
		return nil
	}
	return &Files{dir, id}
}

// Confirm makes the program the one that runs from now on.
func (f *Files) Confirm() error { return f.put(confirmed, f.id) }

// Fail has the next start run the former program. It returns why, with what came of that: the
// program ends with it.
func (f *Files) Fail(why error) error {
	if err := f.put(takenBack, f.id+"\n"+strings.ReplaceAll(why.Error(), "\n", " ")); err != nil {
		return errors.Join(why, err)
	}
	return fmt.Errorf("%w: the former version runs again", why)
}

// Ended notes an orderly end, which is no failed start.
func (f *Files) Ended() error { return f.put(onTrial, f.id+" 0") }

func (f *Files) put(name, text string) error {
	if err := config.ReplaceFile(filepath.Join(f.dir, name), []byte(text+"\n"), 0o640); err != nil {
		return fmt.Errorf("recording the trial of this program: %w", err)
	}
	return nil
}

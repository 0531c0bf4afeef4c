package systemd_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// installation is the launcher among programs that print what they are given.
type installation struct {
	t     *testing.T
	usr   string
	state string
}

const shown = "#!/bin/sh\n" + `echo "$0 $* trial=$FIELDGATE_TRIAL back=$FIELDGATE_TAKEN_BACK"` + "\n"

func install(t *testing.T) *installation {
	t.Helper()
	i := &installation{t, filepath.Join(t.TempDir(), "usr"), t.TempDir()}
	text, err := os.ReadFile("start")
	if err != nil {
		t.Fatal(err)
	}
	i.put("lib/fieldgate/start", string(text))
	i.put("bin/fieldgate", shown)
	return i
}

// put installs a program, as a new file.
func (i *installation) put(name, text string) {
	i.t.Helper()
	path := filepath.Join(i.usr, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		i.t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", []byte(text), 0o755); err != nil {
		i.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		i.t.Fatal(err)
	}
}

func (i *installation) write(name, text string) {
	i.t.Helper()
	if err := os.WriteFile(filepath.Join(i.state, name), []byte(text), 0o644); err != nil {
		i.t.Fatal(err)
	}
}

func (i *installation) read(name string) string {
	text, err := os.ReadFile(filepath.Join(i.state, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		i.t.Fatal(err)
	}
	return string(text)
}

// start runs the launcher and returns what the program that it has chosen prints.
func (i *installation) start() string {
	i.t.Helper()
	cmd := exec.Command("timeout", "10", filepath.Join(i.usr, "lib/fieldgate/start"), "run")
	cmd.Env = append(os.Environ(), "STATE_DIRECTORY="+i.state, "FIELDGATE_TRIAL=old", "FIELDGATE_TAKEN_BACK=old")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		i.t.Fatal(err)
	}
	return strings.ReplaceAll(strings.TrimSpace(string(out)), i.usr, "")
}

func (i *installation) wantStart(want string) {
	i.t.Helper()
	if got := i.start(); got != want {
		i.t.Errorf("got  %q\nwant %q", got, want)
	}
}

const newProgram, formerProgram = "/bin/fieldgate run", "/lib/fieldgate/former run"

// TestFirstInstallation: without a former program there is no trial.
func TestFirstInstallation(t *testing.T) {
	i := install(t)
	i.wantStart(newProgram + " trial= back=")
	if entries, _ := os.ReadDir(i.state); len(entries) > 0 {
		t.Errorf("the launcher wrote %v", entries)
	}
}

// TestTrialEnds: three starts without a verdict; a verdict of the program itself; a confirmation; a
// program installed after each of them.
func TestTrialEnds(t *testing.T) {
	i := install(t)
	i.put("lib/fieldgate/former", shown)
	onTrial := func(starts string) (id string) {
		t.Helper()
		got := i.start()
		id, _, _ = strings.Cut(strings.TrimPrefix(got, newProgram+" trial="), " ")
		if !strings.HasPrefix(got, newProgram+" trial=") || id == "" || id == "old" || !strings.HasSuffix(got, "back=") {
			t.Fatalf("not on trial: %q", got)
		}
		if got := i.read("trial"); got != id+" "+starts+"\n" {
			t.Errorf("the trial is %q", got)
		}
		return id
	}
	first := onTrial("1")
	onTrial("2")
	onTrial("3")
	const often = formerProgram + " trial= back=it was started 3 times, and each time it ended before it had shown that it works"
	i.wantStart(often)
	i.wantStart(often)

	i.put("bin/fieldgate", shown)
	if id := onTrial("1"); id == first {
		t.Error("another installation has the same ID")
	} else {
		i.write("taken-back", id+"\nno broker\n")
	}
	i.wantStart(formerProgram + " trial= back=no broker")

	i.put("bin/fieldgate", shown)
	id := onTrial("1")
	i.write("trial", id+" 0\n") // an orderly end
	onTrial("1")
	i.write("confirmed", id+"\n")
	i.wantStart(newProgram + " trial= back=")
}

// TestUnrunnable: a program that this machine cannot run, or that is not there.
func TestUnrunnable(t *testing.T) {
	i := install(t)
	i.put("lib/fieldgate/former", shown)
	i.put("bin/fieldgate", "\x7fELF of another machine")
	for range 3 {
		i.wantStart("")
	}
	if got := i.start(); !strings.HasPrefix(got, formerProgram+" trial= back=it was started 3 times") {
		t.Error(got)
	}
	if err := os.Remove(filepath.Join(i.usr, "bin/fieldgate")); err != nil {
		t.Fatal(err)
	}
	if got := i.start(); !strings.Contains(got, formerProgram+" trial= back=") || !strings.Contains(got, "is missing: install the package again") {
		t.Error(got)
	}
}

// TestNoRoomForTheTrial: a trial that cannot be recorded would never end, so the former program
// runs. The disk is full: a limit of the file size stands for it.
func TestNoRoomForTheTrial(t *testing.T) {
	i := install(t)
	i.put("lib/fieldgate/former", shown)
	if err := os.Mkdir(filepath.Join(i.state, "trial.new"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := i.start(); !strings.HasPrefix(got, formerProgram+" trial= back=its trial cannot be recorded in ") {
		t.Error(got)
	}
}

// TestCutAnywhere kills the launcher at each of its system calls that open a file, write, or begin
// or await a step: whatever is left behind, the next start finds a program, and no start is
// forgotten.
func TestCutAnywhere(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace is not installed")
	}
	for _, call := range []string{"openat", "write", "clone", "vfork", "wait4", "execve"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			for n := 1; n <= 12; n++ {
				i := install(t)
				i.put("lib/fieldgate/former", shown)
				i.start()
				cut := exec.Command("strace", "-o", "/dev/null", "-e", "trace="+call, "-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", call, n), filepath.Join(i.usr, "lib/fieldgate/start"), "run")
				cut.Env = append(os.Environ(), "STATE_DIRECTORY="+i.state)
				_ = cut.Run() // it is killed
				if got := i.start(); !strings.HasPrefix(got, newProgram+" trial=") && !strings.HasPrefix(got, formerProgram) {
					t.Errorf("killed at %s %d: nothing runs: %q", call, n, got)
				}
				if got := strings.Fields(i.read("trial")); len(got) != 2 || got[1] != "2" && got[1] != "3" {
					t.Errorf("killed at %s %d: the trial is %q", call, n, got)
				}
			}
		})
	}
}

// TestRubbish: whatever the files hold, a program runs, no start is forgotten, and a reason is
// given.
func TestRubbish(t *testing.T) {
	probe := func(t *testing.T) (*installation, string) {
		i := install(t)
		i.put("lib/fieldgate/former", shown)
		i.start()
		id, _, _ := strings.Cut(i.read("trial"), " ")
		return i, id
	}
	for _, rest := range []string{"", " ", " abc", " 08", " -5", " 99999999999999999999", " 1 2"} {
		i, id := probe(t)
		i.write("trial", id+rest+"\n")
		i.wantStart(newProgram + " trial=" + id + " back=")
		if got := i.read("trial"); got != id+" 1\n" {
			t.Errorf("after %q the trial is %q", rest, got)
		}
	}
	for _, name := range []string{"confirmed", "trial", "taken-back"} {
		i, id := probe(t)
		if err := os.RemoveAll(filepath.Join(i.state, name)); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(i.state, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if name == "trial" {
			if got := i.start(); !strings.HasPrefix(got, formerProgram+" trial= back=its trial cannot be recorded in ") {
				t.Error(got)
			}
			continue
		}
		i.wantStart(newProgram + " trial=" + id + " back=")
	}
	for _, name := range []string{"confirmed", "trial", "taken-back"} {
		i, _ := probe(t)
		if err := os.RemoveAll(filepath.Join(i.state, name)); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(filepath.Join(i.state, name), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := i.start(); !strings.HasPrefix(got, newProgram+" trial=") {
			t.Errorf("%s is a pipe: %q", name, got)
		}
	}
	i, id := probe(t)
	i.write("taken-back", id+"\n"+strings.Repeat("x", 200_000))
	if got := i.start(); !strings.HasPrefix(got, formerProgram+" trial= back=xxx") {
		t.Errorf("%.100q", got)
	}
	i.write("taken-back", id+"\n")
	i.wantStart(formerProgram + " trial= back=it failed its trial, and the reason is lost")
}

// TestUpgradeGivenUp: the former program is kept, and then nothing is unpacked. The installed
// program is the former one, and not on trial.
func TestUpgradeGivenUp(t *testing.T) {
	i := install(t)
	i.put("lib/fieldgate/former", shown)
	if err := os.Remove(filepath.Join(i.usr, "bin/fieldgate")); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(i.usr, "lib/fieldgate/former"), filepath.Join(i.usr, "bin/fieldgate")); err != nil {
		t.Fatal(err)
	}
	i.wantStart(newProgram + " trial= back=")
}
